// The stations as dots on one canvas over a Leaflet map. A station's letter says its state; a capital letter charges.
import { leaflet as L } from "nicegui-leaflet";

const CHARGING = "#1f6fc4";
// Radius [px] from which a ring says that a station charges; in a crowd of smaller dots rings hide the rest.
const RING_FROM = 3;

// Each state has its own shape, so that colour is never alone. Drawn around 0, 0 with the radius r.
const SHAPES = {
  a(pen, r) {
    pen.arc(0, 0, r, 0, 7);
    paint(pen, "#4fa35b", "#fff");
  },
  b(pen, r) {
    polygon(pen, [0, -1.3 * r, 1.3 * r, 0, 0, 1.3 * r, -1.3 * r, 0]);
    paint(pen, "#f0b429", "#7a5600");
  },
  c(pen, r) {
    polygon(pen, [-r, -r, r, -r, r, r, -r, r]);
    paint(pen, "#fff", "#8a3d00");
  },
  d(pen, r) {
    pen.moveTo(-r, -r);
    pen.lineTo(r, r);
    pen.moveTo(r, -r);
    pen.lineTo(-r, r);
    paint(pen, null, "#5d6b78", 1 + r / 4);
  },
  e(pen, r) {
    polygon(pen, [0, -1.8 * r, 1.7 * r, 1.3 * r, -1.7 * r, 1.3 * r]);
    paint(pen, "#c3281a", "#fff");
  },
};
export const LETTERS = Object.keys(SHAPES).join("");

function polygon(pen, points) {
  for (let i = 0; i < points.length; i += 2) pen.lineTo(points[i], points[i + 1]);
  pen.closePath();
}

function paint(pen, fill, edge, width = 1) {
  if (fill) {
    pen.fillStyle = fill;
    pen.fill();
  }
  pen.strokeStyle = edge;
  pen.lineWidth = width;
  pen.stroke();
}

// A small picture of a letter; the map copies it, the legend shows it.
export function stamp(letter, r, scale) {
  const state = letter.toLowerCase();
  const half = Math.ceil((2 * r + 4) * scale);
  const picture = document.createElement("canvas");
  picture.width = picture.height = 2 * half;
  const pen = picture.getContext("2d");
  pen.translate(half, half);
  pen.scale(scale, scale);
  pen.lineJoin = "round";
  if (state !== letter && r >= RING_FROM) {
    pen.arc(0, 0, (state === "a" ? 1 : 1.5) * r + 1.6, 0, 7);
    paint(pen, null, CHARGING, 1.4);
    pen.beginPath();
  }
  SHAPES[state]?.(pen, r);
  return picture;
}

export const Dots = L.Renderer.extend({
  // A canvas larger than the view, so that a drag moves a finished picture.
  options: { padding: 0.4, pane: "markerPane" },

  // `x` and `y`: pixels of the whole world at zoom 0. `letters`: char codes.
  place(x, y, letters) {
    Object.assign(this, { x, y, letters });
    this.redraw();
  },
  mark(index) {
    this.marked = index;
    this.redraw();
  },
  redraw() {
    if (!this._map || this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (this._map) this._update();
    });
  },
  radius() {
    return Math.min(6.5, Math.max(1.8, 0.75 * this._map.getZoom() - 1.9));
  },
  // The dot nearest to a layer point within reach, -1: none.
  find(point, reach) {
    if (!this.x) return -1;
    const scale = 2 ** this._map.getZoom();
    const origin = this._map.getPixelOrigin();
    const [px, py] = [(point.x + origin.x) / scale, (point.y + origin.y) / scale];
    let [best, least] = [-1, ((reach + this.radius()) / scale) ** 2];
    for (let i = 0; i < this.x.length; i++) {
      const far = (this.x[i] - px) ** 2 + (this.y[i] - py) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  },

  // What L.Renderer asks of its kinds.
  _initContainer() {
    this._container = L.DomUtil.create("canvas", "denchi-map-dots");
    this.pen = this._container.getContext("2d");
  },
  _destroyContainer() {
    cancelAnimationFrame(this.waiting);
    this._container.remove();
    delete this._container;
  },
  _updatePaths() {},
  _update() {
    if (this._map._animatingZoom && this._bounds) return;
    L.Renderer.prototype._update.call(this);
    const { min, max } = this._bounds;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [Math.round((max.x - min.x) * density), Math.round((max.y - min.y) * density)];
    L.DomUtil.setPosition(this._container, min);
    if (this._container.width !== width || this._container.height !== height) {
      Object.assign(this._container, { width, height });
      Object.assign(this._container.style, { width: `${max.x - min.x}px`, height: `${max.y - min.y}px` });
    }
    this.pen.clearRect(0, 0, width, height);
    this.drawn = this.x ? this._draw(min, density, width, height) : 0;
  },
  _draw(min, density, width, height) {
    const [pen, r, letters] = [this.pen, this.radius(), this.letters];
    const zoom = 2 ** this._map.getZoom() * density;
    const origin = this._map.getPixelOrigin().add(min).multiplyBy(density);
    const at = (i) => [Math.round(this.x[i] * zoom - origin.x), Math.round(this.y[i] * zoom - origin.y)];
    let drawn = 0;
    for (const state of LETTERS) {
      for (const letter of [state, state.toUpperCase()]) {
        const code = letter.charCodeAt(0);
        const picture = stamp(letter, r, density);
        const half = picture.width / 2;
        for (let i = 0; i < letters.length; i++) {
          if (letters[i] !== code) continue;
          const x = Math.round(this.x[i] * zoom - origin.x) - half;
          const y = Math.round(this.y[i] * zoom - origin.y) - half;
          if (x < -2 * half || y < -2 * half || x > width || y > height) continue;
          pen.drawImage(picture, x, y);
          drawn += 1;
        }
      }
    }
    if (this.marked >= 0) {
      const [x, y] = at(this.marked);
      pen.beginPath();
      pen.arc(x, y, (2 * r + 5) * density, 0, 7);
      paint(pen, null, "#fff", 5 * density);
      paint(pen, null, "#12304f", 2.5 * density);
    }
    return drawn;
  },
});
