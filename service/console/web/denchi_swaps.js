// The newest swaps of the fleet; a line opens its station.
export default {
  props: { view: Object },
  emits: ["pick"],
  template: `
    <section class="denchi-card denchi-swaps" aria-label="Newest swaps">
      <div class="title"><h2>Newest swaps</h2></div>
      <ul v-if="view.swaps.length">
        <li v-for="swap in view.swaps" :key="swap.id" :title="swap.id" @click="$emit('pick', swap.station)">
          <time>{{ swap.at }}</time>
          <a :href="'/stations/' + swap.station" @click.prevent.stop="$emit('pick', swap.station)">{{ swap.name }}</a>
          <span class="packs">{{ swap.packs }}</span>
          <span :class="['status', 'tone-' + swap.tone]">{{ swap.status }}<small v-if="swap.reason">{{ swap.reason }}</small></span>
        </li>
      </ul>
      <p v-else class="nothing">No swap yet.</p>
    </section>`,
};
