// What a person must know now: severity in words and by a sign, what it means, what to do. A line with a station opens it.
export default {
  props: { view: Object },
  emits: ["pick"],
  template: `
    <section class="denchi-card denchi-alerts" aria-label="What needs a person">
      <div class="title">
        <h2>What needs you</h2>
        <span v-if="view.act" class="tone-act">{{ view.act }} to act on</span>
        <span v-if="view.look">{{ view.look }} to look at</span>
      </div>
      <ul v-if="view.lines.length">
        <li v-for="line in view.lines" :key="line.key" :class="['is-' + line.tone, { opens: line.station }]" @click="line.station && $emit('pick', line.station)">
          <span class="mark">{{ line.tone === 'act' ? '! act now' : 'look' }}</span>
          <div class="what">
            <a v-if="line.station" :href="'/stations/' + line.station" @click.prevent.stop="$emit('pick', line.station)">{{ line.what }}</a>
            <b v-else>{{ line.what }}</b>
            <small v-if="line.todo">{{ line.todo }}</small>
          </div>
          <time>{{ line.age }}</time>
        </li>
      </ul>
      <p v-else class="calm">Nothing needs you.</p>
    </section>`,
};
