// A slot as a small battery: filled to its SoC, with a mark for its state. Shared by the list and the panel.
export const MARKS = { ready: "✓", charging: "+", resting: "", held: "H", unfit: "!", faulted: "×", foreign: "?", empty: "" };

export const SlotCell = {
  props: { cell: Array },
  computed: {
    words() {
      const [no, state, soc] = this.cell;
      return `slot ${no}: ${state}` + (soc < 0 ? "" : `, ${soc} %`);
    },
    mark() {
      return MARKS[this.cell[1]];
    },
  },
  template: `
    <span :class="['slot-cell', 'is-' + cell[1]]" :title="words">
      <i :style="{ height: Math.max(0, cell[2]) + '%' }"></i><b>{{ mark }}</b>
    </span>`,
};
