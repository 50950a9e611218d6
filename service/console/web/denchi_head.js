// The head of the page: name, fleet clock, health; below it the banner when the database is away.
export default {
  props: { view: Object },
  template: `
    <div class="denchi-head-block">
      <header class="denchi-head" v-if="view">
        <a class="denchi-name" href="/">denchi</a>
        <div class="denchi-clock">
          <span class="clock">{{ view.clock }}</span>
          <span class="speed" v-if="view.speed" title="fleet time runs faster than the wall clock">{{ view.speed }}</span>
          <small>fleet time</small>
        </div>
        <div v-for="fact in view.facts" :key="fact.label" :class="['denchi-fact', 'tone-' + fact.tone]">
          <span><small>{{ fact.label }}</small> <b>{{ fact.value }}</b></span>
          <small>{{ fact.note }}</small>
        </div>
        <span class="denchi-synthetic" v-if="view.synthetic">synthetic supply and prices</span>
      </header>
      <div class="denchi-banner" role="alert" v-if="view && view.failure">{{ view.failure }}</div>
    </div>`,
};
