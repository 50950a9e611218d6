// Four counters: a total each, and what it is made of. Zero lines are faint; bad ones carry a sign, not only a colour.
export default {
  props: { view: Object },
  template: `
    <aside class="denchi-counters" aria-label="Counters">
      <section v-for="counter in view.counters" :key="counter.title" class="denchi-card denchi-counter">
        <h2>{{ counter.title }}</h2>
        <div class="total"><b>{{ counter.total }}</b> <small>{{ counter.note }}</small></div>
        <dl>
          <template v-for="line in counter.lines" :key="line.words">
            <dt :class="{ none: !line.count }">{{ line.words }}</dt>
            <dd :class="['tone-' + line.tone, { none: !line.count }]">{{ line.count }}</dd>
          </template>
        </dl>
      </section>
    </aside>`,
};
