// The panel of one station: slots, the plan's reason, newest swaps and anomalies.
import { SlotCell } from "denchi-slot-cell";

export default {
  components: { SlotCell },
  props: { view: Object },
  emits: ["pick"],
  methods: {
    close() {
      history.pushState({}, "", "/");
      this.$emit("pick", null);
    },
  },
  template: `
    <aside class="denchi-card denchi-panel" v-if="view" :aria-label="'Station ' + view.id">
      <div class="title">
        <div><h2>{{ view.known ? view.name : 'Unknown station' }}</h2><small>{{ view.id }}</small></div>
        <button @click="close" aria-label="Close">×</button>
      </div>
      <p v-if="!view.known">There is no station with this id.</p>
      <template v-else>
        <p :class="['link', { away: !view.connected }]">{{ view.link }}</p>
        <p class="power">{{ view.power }}</p>
        <div class="plan"><h3>Plan</h3><p v-if="view.reason">{{ view.reason }}</p><p class="faint">{{ view.plan }}</p></div>
        <h3>Slots</h3>
        <ol class="slots">
          <li v-for="slot in view.slots" :key="slot.slot_no" :data-slot="slot.slot_no">
            <span class="no">{{ slot.slot_no }}</span>
            <SlotCell :cell="slot.cell" />
            <div class="what">
              <div class="line"><b class="soc" v-if="slot.soc">{{ slot.soc }}</b><span class="state" :title="slot.held_by">{{ slot.state }}</span><span class="serial" :title="slot.model">{{ slot.serial }}</span></div>
              <div class="facts" v-if="slot.facts.length"><span v-for="[label, value] in slot.facts" :key="label + value"><small>{{ label }}</small> {{ value }}</span></div>
            </div>
          </li>
        </ol>
        <p class="nothing" v-if="!view.slots.length">This station has not told its slots yet.</p>
        <h3>Newest swaps</h3>
        <ul class="events">
          <li v-for="swap in view.swaps" :key="swap.id" :title="swap.id"><time>{{ swap.at }}</time><span :class="'tone-' + swap.tone">{{ swap.words }}</span><small>{{ swap.note }}</small></li>
        </ul>
        <p class="nothing" v-if="!view.swaps.length">none</p>
        <h3>Anomalies</h3>
        <ul class="events">
          <li v-for="anomaly in view.anomalies" :key="anomaly.id"><time>{{ anomaly.at }}</time><span :class="'tone-' + anomaly.tone">{{ anomaly.words }}</span><small>{{ anomaly.note }}</small></li>
        </ul>
        <p class="nothing" v-if="!view.anomalies.length">none</p>
      </template>
    </aside>`,
};
