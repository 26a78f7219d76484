// The camera's controls as the server keeps them, and as they shall be: sends at most four changes a second, the newest
// value of each control, several in one; repeats what met somebody else's change; takes back. Knows nothing of the page.
const kApartMs = 250;   // between two changes: the server takes five a second
const kPollMs = 1000;
const kRetryMs = 1000;
const kTries = 5;       // of one change
const kOneStepMs = 1000; // what follows a change of the same controls so soon is one step with it
const kMostSteps = 50;
const kTimeoutMs = 10000;
// Who decides what.
export const kAutomatic = {
  ExposureTimeMode: 'ExposureTime', AnalogueGainMode: 'AnalogueGain', AwbEnable: 'ColourGains', AfMode: 'LensPosition', 'v4l2.auto_exposure': 'v4l2.exposure_time_absolute',
  'v4l2.white_balance_automatic': 'v4l2.white_balance_temperature', 'v4l2.focus_automatic_continuous': 'v4l2.focus_absolute',
};

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const wishOf = (control) => (control.set ? control.wanted : null); // null: nobody wished anything

export class Controls {
  #document = null;
  #etag = '';
  #queue = [];     // changes that are not sent: {values} or {path, method, body()}, with `tries`
  #flying = null;  // the one that is not answered
  #nextAt = -Infinity;
  #timer = 0;
  #poll = 0;
  #reading = false;
  #changes = 0;    // sent or answered: what was asked before is old
  #steps = [];     // for undo: {at, controls: {name: {before, after}}}
  #errors = new Map(); // name to {error, allowed}: what the server refused

  // 'unknown', 'ready', 'forbidden', 'none' (this server has no controls), 'away'
  state = 'unknown';
  failure = ''; // the server's sentence about the newest change, where it is about no control
  onChange = () => {};

  get document() { return this.#document; }
  get allowed() { return this.mayChange && Object.keys(this.#document.controls).length > 0; }
  get mayChange() { return this.state !== 'forbidden' && this.#document?.may_change === true; }
  get canUndo() { return this.#steps.length > 0; }

  // A control as it shall be: the server's, with what is on its way. `error`: why the server refused the newest value.
  get(name) {
    const control = this.#document?.controls[name];
    if (!control) return undefined;
    const error = this.#errors.get(name);
    const job = [this.#flying, ...this.#queue].findLast((one) => one?.values && name in one.values);
    if (!job) return { ...control, error };
    const value = job.values[name];
    return { ...control, error, set: value !== null, wanted: value ?? control.default ?? control.wanted };
  }

  start() {
    this.stop();
    this.#poll = setInterval(() => this.load(), kPollMs);
    return this.load();
  }
  stop() { clearInterval(this.#poll); }

  async load() {
    if (this.#reading || this.#flying) return;
    this.#reading = true;
    const changes = this.#changes;
    const answer = await this.#ask('controls');
    this.#reading = false;
    if (changes !== this.#changes) return;
    this.#take(answer);
    this.onChange();
  }

  // {name: value}; null: as without a wish.
  change(values) {
    this.#keepStep(values);
    this.#add(values);
  }

  // Takes the newest step back, but for what somebody else has changed since. Returns the names.
  undo() {
    for (let step; (step = this.#steps.pop());) {
      const back = Object.entries(step.controls).filter(([name, { before, after }]) => {
        const control = this.get(name);
        return control && !same(before, after) && same(wishOf(control), after);
      });
      if (!back.length) continue;
      this.#add(Object.fromEntries(back.map(([name, { before }]) => [name, before])));
      return back.map(([name]) => name);
    }
    this.onChange();
    return [];
  }

  // What the camera's automatics have found, as wishes that keep it so; {} where there is nothing.
  found() {
    const values = {};
    for (const [mode, name] of Object.entries(kAutomatic)) {
      const [automatic, control] = [this.get(mode), this.get(name)];
      const fixed = automatic?.values?.find((one) => one.startsWith('Manual')) ?? false;
      if (!automatic || automatic.wanted === fixed || control?.actual === undefined) continue;
      const limit = (value) => Math.min(control.max, Math.max(control.min, value));
      values[mode] = fixed;
      values[name] = Array.isArray(control.actual) ? control.actual.map(limit) : limit(control.actual);
    }
    return values;
  }

  focus(place = {}) { this.#act({ path: 'controls/focus', method: 'POST', body: () => place }); }
  reset() { this.#act({ path: 'controls/reset', method: 'POST', body: () => ({}) }); }
  apply(preset) { this.#act({ body: () => ({ preset }) }); }
  erase(preset) { this.#act({ body: () => ({ presets: { [preset]: null } }) }); }
  // What is wished then, by a name.
  save(preset) {
    const wishes = () => Object.entries(this.#document.controls).filter(([, { set }]) => set).map(([name, { wanted }]) => [name, wanted]);
    this.#act({ body: () => ({ presets: { [preset]: Object.fromEntries(wishes()) } }) });
  }

  #act(job) {
    if (this.#queue.at(-1)?.path === job.path) this.#queue.pop(); // the newest place to focus on
    this.#queue.push({ path: 'controls', method: 'PATCH', tries: 0, ...job });
    this.#pump();
  }

  #add(values) {
    for (const name of Object.keys(values)) this.#errors.delete(name);
    this.failure = '';
    const last = this.#queue.at(-1);
    if (last?.values) Object.assign(last.values, values);
    else this.#act({ values: { ...values } });
    this.onChange();
  }

  #keepStep(values) {
    const at = performance.now();
    const last = this.#steps.at(-1);
    if (last && at - last.at < kOneStepMs && Object.keys(values).every((name) => name in last.controls)) {
      last.at = at;
      for (const [name, value] of Object.entries(values)) last.controls[name].after = value;
      return;
    }
    this.#push(at, Object.entries(values).map(([name, after]) => [name, { before: wishOf(this.get(name) ?? {}), after }]));
  }

  #push(at, controls) {
    this.#steps.push({ at, controls: Object.fromEntries(controls) });
    if (this.#steps.length > kMostSteps) this.#steps.shift();
  }

  #pump() {
    clearTimeout(this.#timer);
    if (this.#flying || !this.#queue.length) return;
    const wait = this.#nextAt - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#pump(), wait);
    else this.#send(this.#queue.shift());
  }

  async #send(job) {
    this.#flying = job;
    this.#changes += 1;
    this.#nextAt = performance.now() + kApartMs;
    const before = this.#document?.controls ?? {};
    job.tries += 1;
    const answer = await this.#ask(job.path, job.method, job.values ?? job.body());
    // Somebody else's change came first. Ours is still wanted.
    if (answer.status === 412) this.#take(await this.#ask('controls'));
    this.#flying = null;
    this.#changes += 1;
    this.#judge(job, answer, before);
    this.onChange();
    this.#pump();
  }

  #judge(job, answer, before) {
    const { status, body } = answer;
    const again = job.tries < kTries;
    if (status === 200) {
      this.failure = '';
      if (!job.values) this.#errors.clear();
      this.#take(answer);
      this.#settle(job, before);
    } else if (status === 412 && again) {
      if (job.tries === 1) this.#nextAt = performance.now();
      this.#again(job);
    } else if ((status === 429 || status === 503 || status === 0) && again) {
      if (status !== 429) this.state = 'away';
      this.#nextAt = performance.now() + (1000 * answer.retryAfter || kRetryMs);
      this.#again(job);
    } else if (status === 422 && body?.name) {
      this.#errors.set(body.name, body);
      for (const step of this.#steps) if (same(step.controls[body.name]?.after, job.values?.[body.name])) delete step.controls[body.name];
      if (!job.values) this.failure = body.error;
      else if (delete job.values[body.name] && again && Object.keys(job.values).length > 0) this.#again(job);
    } else if (status === 401 || status === 403) {
      this.#queue = [];
      this.#take(answer);
    } else {
      this.failure = body?.error ?? '';
      if (!this.failure) this.state = 'away';
    }
  }

  // Before what waits; the newer value of each control.
  #again(job) {
    const next = this.#queue[0];
    if (job.values && next?.values) {
      next.values = { ...job.values, ...next.values };
      next.tries = job.tries;
    } else {
      this.#queue.unshift(job);
    }
  }

  // What undo compares with is what the server has made of a value. What else has changed is known only now: what a
  // value displaces, what a preset or a reset does.
  #settle({ values }, before) {
    const after = this.#document.controls;
    let changed = Object.entries(before).map(([name, old]) => [name, { before: wishOf(old), after: wishOf(after[name] ?? old) }])
      .filter(([, wishes]) => !same(wishes.before, wishes.after));
    if (!values && changed.length) this.#push(-Infinity, changed);
    for (const [name, value] of Object.entries(values ?? {})) {
      const step = after[name] && this.#steps.findLast(({ controls }) => same(controls[name]?.after, value));
      if (!step) continue;
      step.controls[name].after = wishOf(after[name]);
      step.controls = { ...Object.fromEntries(changed), ...step.controls };
      changed = [];
    }
  }

  #take({ status, body, etag }) {
    const ready = status === 200 && body?.controls;
    if (ready) [this.#document, this.#etag] = [body, etag];
    if (status === 401) this.stop(); // a browser may ask its user each time
    this.state = ready ? 'ready' : { 401: 'forbidden', 403: 'forbidden', 404: 'none', 405: 'none' }[status] ?? 'away';
  }

  // {status, body, etag, retryAfter}; status 0: no answer.
  async #ask(path, method = 'GET', content = undefined) {
    try {
      const headers = content ? { 'Content-Type': 'application/json', 'If-Match': this.#etag || '*' } : {};
      const response = await fetch(path, {
        method, headers, cache: 'no-store', body: content && JSON.stringify(content), signal: AbortSignal.timeout?.(kTimeoutMs),
      });
      return {
        status: response.status,
        etag: (response.headers.get('ETag') ?? '').replace(/^W\//, ''), // whoever compresses on the way weakens it
        retryAfter: Number(response.headers.get('Retry-After')),
        body: await response.json().catch(() => null),
      };
    } catch {
      return { status: 0 };
    }
  }
}
