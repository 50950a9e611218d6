// The map: the bundled outline, the stations as dots, a legend. Places come once, states as letters when they change.
import { leaflet as L } from "nicegui-leaflet";
import { Dots, stamp } from "denchi-map-dots";
import { loadResource } from "../../static/utils/resources.js";

const LAND = { color: "#a9b4bd", weight: 1, fillColor: "#f7f6f2", fillOpacity: 1, interactive: false };
// Without a fleet: Japan.
const HOME = [[30.5, 128.5], [45.6, 146]];
const REACH_PX = 5;

export default {
  props: { legend: Array, resourcePath: String, tileUrl: String, tileCredit: String },
  emits: ["ready", "look", "pick"],
  data: () => ({ counts: {}, leftOut: 0, total: 0 }),
  async mounted() {
    await this.$nextTick();
    await loadResource(import.meta.resolve("nicegui-leaflet/leaflet/leaflet.css"));
    if (!this.$refs.map) return;
    this.map = L.map(this.$refs.map, {
      zoomSnap: 0.25, wheelPxPerZoomLevel: 90, minZoom: 2, maxZoom: 17, maxBounds: [[-85, -250], [85, 250]], doubleClickZoom: false,
    });
    this.map.attributionControl.setPrefix(false);
    this.coast = L.canvas({ padding: 0.4 });
    this.dots = new Dots();
    this.tip = L.tooltip({ direction: "top", offset: [0, -8], opacity: 1, permanent: true, className: "denchi-map-tip" });
    this.hovered = -1;
    this.fit();
    this.dots.addTo(this.map);
    if (this.tileUrl) {
      const credit = document.createElement("span");
      credit.textContent = this.tileCredit;
      L.tileLayer(this.tileUrl, { attribution: credit.innerHTML }).addTo(this.map);
    } else {
      await Promise.all(["world", "japan"].map(this.outline));
      this.map?.attributionControl.addAttribution("Outline: Natural Earth");
    }
    if (!this.map) return;
    this.map.on("move", this.keep_up);
    this.map.on("mousemove", (event) => this.hover(this.dots.find(event.layerPoint, REACH_PX)));
    this.map.on("mouseout movestart zoomstart", () => this.hover(-1));
    this.map.on("click", (event) => this.pick(this.dots.find(event.layerPoint, REACH_PX)));
    this.map.on("dblclick", this.fit);
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.$refs.map);
    this.$emit("ready");
  },
  unmounted() {
    this.sizes?.disconnect();
    clearTimeout(this.looking);
    this.map?.remove();
    this.map = null;
  },
  computed: {
    pictures() {
      return Object.fromEntries([...this.legend.map((item) => item.letter), "A"].map((letter) => [letter, stamp(letter, 5, 2).toDataURL()]));
    },
  },
  methods: {
    async outline(name) {
      const answer = await fetch(`${window.path_prefix ?? ""}${this.resourcePath}/${name}.json`);
      const { unit_deg, rings } = await answer.json();
      if (!this.map) return;
      const unfolded = rings.map((steps) => {
        const points = [];
        for (let i = 0, x = 0, y = 0; i < steps.length; i += 2) points.push([(y += steps[i + 1]) * unit_deg, (x += steps[i]) * unit_deg]);
        return points;
      });
      L.polygon(unfolded, { ...LAND, renderer: this.coast }).addTo(this.map);
    },
    // The picture is larger than the view; a long drag may leave it.
    keep_up() {
      const { min, max } = this.dots._bounds;
      const corner = this.map.containerPointToLayerPoint([0, 0]);
      const size = this.map.getSize();
      if (corner.x < min.x || corner.y < min.y || corner.x + size.x > max.x || corner.y + size.y > max.y) {
        this.dots._update();
        this.coast._update();
      }
    },
    resized() {
      this.map.invalidateSize({ pan: false });
      if (!this.fitted) this.fit();
    },
    fit() {
      const size = this.map.getSize();
      this.fitted = size.x > 0 && this.total > 0;
      const [side, end] = [size.x * 0.06, size.y * 0.06];
      const legend = this.$refs.legend.offsetWidth + 20;
      // Beside the legend where there is room. A fleet in one town still shows the coast around it.
      this.map.fitBounds(this.fleet ?? HOME, {
        paddingTopLeft: [size.x > 1.8 * legend ? Math.max(side, legend) : side, end], paddingBottomRight: [side, end], maxZoom: 11, animate: false,
      });
    },
    hover(index) {
      if (index === this.hovered) return;
      this.hovered = index;
      clearTimeout(this.looking);
      this.$refs.map.style.cursor = index < 0 ? "" : "pointer";
      if (index < 0) {
        this.tip.remove();
        return;
      }
      this.tell(index, []);
      this.looking = setTimeout(() => this.$emit("look", index), 80);
    },
    pick(index) {
      if (index >= 0) this.$emit("pick", this.ids[index]);
    },
    count() {
      const counts = { ring: 0 };
      for (const code of this.dots.letters) {
        counts[code | 32] = (counts[code | 32] ?? 0) + 1;
        if (code < 97) counts.ring += 1;
      }
      this.counts = counts;
    },

    // Called by the server.
    load(places, states, picked) {
      const { ids, names, longitudes, latitudes, degree } = places;
      const [x, y] = [new Float64Array(ids.length), new Float64Array(ids.length)];
      const points = ids.map((_, i) => L.latLng(latitudes[i] / degree, longitudes[i] / degree));
      points.forEach((point, i) => ({ x: x[i], y: y[i] } = this.map.project(point, 0)));
      Object.assign(this, { ids, names, points, fleet: ids.length ? L.latLngBounds(points) : null });
      Object.assign(this, { total: ids.length, leftOut: places.leftOut });
      this.hover(-1);
      this.dots.place(x, y, Uint8Array.from(states, (letter) => letter.charCodeAt(0)));
      this.count();
      if (!this.fitted) this.fit();
      this.mark(picked);
    },
    recolour(states) {
      for (let i = 0; i < states.length; i++) this.dots.letters[i] = states.charCodeAt(i);
      this.dots.redraw();
      this.count();
    },
    change(indices, states) {
      indices.forEach((index, i) => (this.dots.letters[index] = states.charCodeAt(i)));
      this.dots.redraw();
      this.count();
    },
    mark(picked) {
      const index = picked ? this.ids.indexOf(picked) : -1;
      this.dots.mark(index);
      if (index >= 0 && !this.map.getBounds().contains(this.points[index])) this.map.panTo(this.points[index]);
    },
    tell(index, words) {
      if (index !== this.hovered) return;
      const box = document.createElement("div");
      for (const [kind, text] of [["b", this.names[index]], ...words.map((line) => ["span", line])]) {
        box.appendChild(document.createElement(kind)).textContent = text;
      }
      this.tip.setContent(box).setLatLng(this.points[index]).addTo(this.map);
    },
  },
  template: `
    <section class="denchi-map" aria-label="Map of the stations. The list of stations has the same for keyboard and screen reader.">
      <div ref="map" class="denchi-map-view"></div>
      <button class="denchi-map-fit" @click="fit" title="Show the whole fleet (or double-click the map)">whole fleet</button>
      <ul ref="legend" class="denchi-map-legend" aria-label="Legend of the map">
        <li v-for="item in legend" :key="item.state" :class="{ none: !counts[item.letter.charCodeAt(0)] }">
          <img :src="pictures[item.letter]" alt="">{{ item.words }} <b>{{ (counts[item.letter.charCodeAt(0)] ?? 0).toLocaleString("en") }}</b>
        </li>
        <li :class="{ none: !counts.ring }"><img :src="pictures.A" alt="">ring: charging now <b>{{ (counts.ring ?? 0).toLocaleString("en") }}</b></li>
        <li v-if="leftOut">without coordinates <b>{{ leftOut.toLocaleString("en") }}</b></li>
      </ul>
    </section>`,
};
