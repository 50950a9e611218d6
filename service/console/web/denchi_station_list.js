// The list of stations: search, filter, columns to sort by, a picture of the slots. The server filters, sorts and pages.
import { SlotCell } from "denchi-slot-cell";

const COLUMNS = [
  ["name", "station", "text"],
  ["", "slots", "text"],
  ["ready", "ready", "number"],
  ["empty", "empty", "number"],
  ["power", "charging", "number"],
  ["swaps", "swaps now", "number"],
  ["heard", "heard", "number"],
];

export default {
  components: { SlotCell },
  props: { view: Object },
  emits: ["pick", "sort", "search", "only", "page"],
  data: () => ({ columns: COLUMNS, text: "", waiting: null }),
  mounted() {
    this.back = () => this.$emit("pick", this.picked_by_address());
    window.addEventListener("popstate", this.back);
  },
  unmounted() {
    window.removeEventListener("popstate", this.back);
  },
  watch: {
    // The panel narrows the list; keep the picked row in sight.
    "view.picked"(id) {
      if (id) this.$nextTick(() => this.$el.querySelector(`tr[data-station="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "nearest" }));
    },
  },
  methods: {
    picked_by_address() {
      const found = window.location.pathname.match(/^\/stations\/([^/]+)$/);
      return found ? decodeURIComponent(found[1]) : null;
    },
    pick(id) {
      if (id !== this.picked_by_address()) history.pushState({}, "", "/stations/" + encodeURIComponent(id));
      this.$emit("pick", id);
    },
    search() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.$emit("search", this.text), 200);
    },
    order(column) {
      if (column !== this.view.sort) return undefined;
      return this.view.descending ? "descending" : "ascending";
    },
  },
  template: `
    <section class="denchi-card denchi-stations" v-if="view">
      <div class="denchi-tools">
        <h2>Stations</h2>
        <input type="search" v-model="text" @input="search" placeholder="name or id" aria-label="Search stations" maxlength="80">
        <select :value="view.only" @change="$emit('only', $event.target.value)" aria-label="Show">
          <option v-for="(words, key) in view.filters" :key="key" :value="key">{{ words }}</option>
        </select>
        <span class="count">{{ view.shown === view.total ? view.total : view.shown + ' of ' + view.total }}</span>
        <span class="pager" v-if="view.pages > 1">
          <button @click="$emit('page', view.page - 1)" :disabled="view.page === 0" aria-label="Page before">‹</button>
          page {{ view.page + 1 }} of {{ view.pages }}
          <button @click="$emit('page', view.page + 1)" :disabled="view.page + 1 >= view.pages" aria-label="Next page">›</button>
        </span>
        <ul class="denchi-legend" aria-label="Legend of the slots">
          <li v-for="item in view.legend" :key="item.state" :title="item.words">
            <SlotCell :cell="[0, item.state, item.state === 'empty' || item.state === 'faulted' ? -1 : 70]" aria-hidden="true" />{{ item.short }}
          </li>
        </ul>
      </div>
      <div class="denchi-scroll">
        <table>
          <thead>
            <tr>
              <th v-for="[key, words, kind] in columns" :key="words" :class="kind" :aria-sort="key ? order(key) : undefined">
                <button v-if="key" @click="$emit('sort', key)">{{ words }}</button>
                <template v-else>{{ words }}</template>
              </th>
            </tr>
          </thead>
          <tbody>
            <tr v-for="row in view.rows" :key="row.id" :class="{ picked: row.id === view.picked, away: row.link !== 'connected' }" :data-station="row.id" @click="pick(row.id)">
              <td class="name"><a :href="'/stations/' + row.id" @click.prevent.stop="pick(row.id)">{{ row.name }}</a><small v-if="row.link !== 'connected'">{{ row.link }}</small></td>
              <td class="cells"><SlotCell v-for="cell in row.cells" :key="cell[0]" :cell="cell" /></td>
              <td :class="['number', { zero: !row.ready }]">{{ row.ready }}</td>
              <td class="number">{{ row.empty }}</td>
              <td class="number">{{ row.power }}</td>
              <td class="number">{{ row.swaps || '' }}</td>
              <td class="number">{{ row.heard }}</td>
            </tr>
          </tbody>
        </table>
        <p class="nothing" v-if="!view.rows.length">{{ view.total ? 'No station fits.' : 'No station is registered yet.' }}</p>
      </div>
    </section>
    <section class="denchi-card denchi-stations" v-else><p class="nothing">Waiting for the first reading of the database…</p></section>`,
};
