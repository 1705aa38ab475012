// The time machine: a slider over the saved steps of a run, and what the model wrote at each from the same beginning with
// the same dice. What was written is kept in the store, by step and settings, so that sliding back is instant. The server
// writes for one wish at a time and sends its text as "machine_news"; a closed panel or page ends it.

import { sessionIdState, useChatSession } from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const SLIDE_MS = 250; // a slider that still moves asks for nothing
const PLAY_MS = 1300; // so long is each step looked at
const ENTRY = {
  label: 'Time machine',
  place: 6,
  title: 'Watch a model learn: what it wrote after 0 steps of training, after 10, after 100 … from the same beginning',
};

const newMachine = () => ({
  runs: null,
  problem: '',
  run: null,
  at: 0,
  prompt: null,
  seed: '1',
  temperature: null,
  length: null, // null: as the run suggests
  texts: new Map(), // asked(…) → {text, ending, error, done}
  job: null, // {id, wanted: Map(step key → asked)}: what the server writes now
  waits: false,
  playing: false,
  timer: null,
});

const runOf = (m) => (m.runs || []).find((run) => run.key === m.run) || null;
const stepOf = (m) => {
  const run = runOf(m);
  return run && run.steps[Math.min(m.at, run.steps.length - 1)];
};
const promptOf = (m) => (m.prompt === null ? runOf(m).starters[0] || '' : m.prompt);
const temperatureOf = (m) => (m.temperature === null ? runOf(m).temperature : m.temperature);
const lengthOf = (m) => (m.length === null ? runOf(m).length : m.length);
const asked = (m, step) => JSON.stringify([step.key, step.version, promptOf(m), m.seed, temperatureOf(m), lengthOf(m)]);
const textOf = (m, step) => m.texts.get(asked(m, step));
const isDone = (m, step) => Boolean((textOf(m, step) || {}).done);

// One run of the store at a time hears the socket; it goes on hearing while Chainlit remounts the element.
const listen = (store, socket) => {
  const m = store.machine;
  if (m.socket === socket) return;
  if (m.socket) m.hears.forEach(([event, hear]) => m.socket.off(event, hear));
  const news = (data) => {
    if (!m.job || data.job !== m.job.id) return;
    m.waits = Boolean(data.waits);
    const key = m.job.wanted.get(data.step);
    const entry = key && m.texts.get(key);
    if (data.text !== undefined && entry) entry.text += data.text;
    if (data.ending !== undefined && entry)
      Object.assign(entry, { ending: data.ending, tokens: data.tokens, done: true });
    if (data.words !== undefined && entry)
      entry.known = `${data.known} of its ${data.words} words stand in its training text`;
    if (data.error && entry) Object.assign(entry, { error: data.error, done: true });
    else if (data.error) m.problem = data.error;
    if (data.over) giveUp(m);
    if (data.text !== undefined && entry && entry.drawn && paint(store)) return;
    if (entry) entry.drawn = true;
    store.tell();
  };
  const gone = () => {
    giveUp(m);
    store.tell();
  };
  m.socket = socket;
  m.hears = [
    ['machine_news', news],
    ['disconnect', gone],
  ];
  m.hears.forEach(([event, hear]) => socket.on(event, hear));
};

// Text as it comes is drawn by hand: the rest of the page need not hear of it.
const paint = (store) => {
  const node = document.getElementById('machine-written');
  const step = stepOf(store.machine);
  const entry = step && textOf(store.machine, step);
  if (node && entry) node.textContent = entry.text;
  return Boolean(node);
};

// Nothing is being written any more; what was cut off stays in sight, but does not count as written.
const giveUp = (m) => {
  if (m.job)
    m.job.wanted.forEach((key) => {
      const entry = m.texts.get(key);
      if (entry && !entry.done && entry.text) entry.stopped = true;
      else if (entry && !entry.done) m.texts.delete(key);
    });
  m.job = null;
  m.waits = false;
};

const stop = (store) => {
  const m = store.machine;
  clearTimeout(m.timer);
  m.playing = false;
  if (m.job) m.socket.emit('machine_stop');
  giveUp(m);
};

const write = (store, steps) => {
  const m = store.machine;
  const missing = steps.filter((step) => !isDone(m, step) || textOf(m, step).error);
  giveUp(m);
  m.problem = '';
  if (!missing.length) return stop(store) || store.tell();
  m.job = { id: window.inkling.uuid(), wanted: new Map(missing.map((step) => [step.key, asked(m, step)])) };
  missing.forEach((step) => m.texts.set(asked(m, step), { text: '', done: false, born: window.inkling.uuid() }));
  m.socket.emit('machine_write', {
    job: m.job.id,
    steps: missing.map((step) => step.key),
    prompt: promptOf(m),
    seed: m.seed,
    temperature: temperatureOf(m),
    max_new_tokens: lengthOf(m),
  });
  return store.tell();
};

// Go to a step: what was written is there at once, what was not is asked for when the slider rests.
const go = (store, at) => {
  const m = store.machine;
  m.at = at;
  clearTimeout(m.timer);
  const step = stepOf(m);
  const wanted = m.job && m.job.wanted.get(step.key) === asked(m, step);
  if (!isDone(m, step) && !wanted) m.timer = setTimeout(() => write(store, [step]), SLIDE_MS);
  store.tell();
};

const play = (store) => {
  const m = store.machine;
  const { steps } = runOf(m);
  if (m.playing) return stop(store) || store.tell();
  m.playing = true;
  if (m.at >= steps.length - 1) m.at = 0;
  if (!steps.every((step) => isDone(m, step))) write(store, [...steps.slice(m.at), ...steps.slice(0, m.at)]);
  const next = () => {
    if (!m.playing) return;
    if (m.at >= steps.length - 1 && isDone(m, stepOf(m))) m.playing = false;
    else if (isDone(m, stepOf(m)) && m.at < steps.length - 1) m.at += 1;
    else if (!m.job) m.playing = false;
    if (m.playing) m.timer = setTimeout(next, PLAY_MS);
    store.tell();
  };
  m.timer = setTimeout(next, PLAY_MS);
  return store.tell();
};

const choose = (store, key) => {
  const m = store.machine;
  stop(store);
  Object.assign(m, { run: key, prompt: null, temperature: null, length: null });
  m.at = Math.max(0, runOf(m).steps.length - 1);
  store.tell();
};

// Steps may have come, or gone, since the panel was last open.
const look = async (store) => {
  const m = store.machine;
  try {
    const { runs } = await store.look({ look: 'runs' });
    const before = m.runs && stepOf(m);
    Object.assign(m, { runs, problem: '' });
    if (!runOf(m) && runs.length) return choose(store, (runs.find((run) => run.key === store.model) || runs[0]).key);
    const at = runOf(m) && before ? runOf(m).steps.findIndex((step) => step.key === before.key) : -1;
    if (at >= 0) m.at = at;
  } catch (error) {
    m.problem = error.message;
  }
  return store.tell();
};

const Asked = ({ m, store }) => {
  const change = (name) => (event) => {
    stop(store);
    m[name] = name === 'temperature' ? Number(event.target.value) : event.target.value;
    store.tell();
  };
  return (
    <div className="machine-asked">
      <label>
        Run
        <select
          id="machine-run"
          value={m.run}
          title="Which training to look at: those that kept weights along the way"
          onChange={(event) => choose(store, event.target.value)}
        >
          {m.runs.map((run) => (
            <option key={run.key} value={run.key}>
              {run.key}
            </option>
          ))}
        </select>
      </label>
      <label>
        Seed
        <input
          id="machine-seed"
          type="text"
          inputMode="numeric"
          value={m.seed}
          onChange={change('seed')}
          title="The dice: the same whole number rolls the same dice at every step"
        />
      </label>
      <label>
        Length
        <input
          id="machine-length"
          type="number"
          min="1"
          max="2048"
          value={lengthOf(m)}
          onChange={change('length')}
          title="How many tokens each step writes: letters or pieces of words, as the model reads them"
        />
      </label>
      <label>
        Temperature {temperatureOf(m)}
        <input
          id="machine-temperature"
          type="range"
          min="0"
          max="2"
          step="0.01"
          value={temperatureOf(m)}
          onChange={change('temperature')}
          title="How daring: 0 always takes the likeliest, 1 follows the model's own odds"
        />
      </label>
      <label className="whole">
        Beginning
        <textarea
          id="machine-prompt"
          rows={2}
          value={promptOf(m)}
          onChange={change('prompt')}
          title="Every step goes on from these words"
        />
      </label>
    </div>
  );
};

const Steps = ({ m, steps, store }) => (
  <>
    {/* As wide as from the middle of the first label to that of the last */}
    <input
      id="machine-step"
      type="range"
      style={{ width: `calc(${100 - 100 / steps.length}% + 1rem)`, marginLeft: `calc(${50 / steps.length}% - 0.5rem)` }}
      min="0"
      max={steps.length - 1}
      step="1"
      value={m.at}
      aria-label="Saved step"
      aria-valuetext={`Step ${steps[m.at].step}`}
      title="Slide through the training, with the mouse or the arrow keys"
      onChange={(event) => {
        m.playing = false;
        go(store, Number(event.target.value));
      }}
    />
    <div className="machine-steps">
      {steps.map((step, at) => (
        <button
          key={step.key}
          type="button"
          tabIndex={-1}
          data-step={step.step}
          data-written={isDone(m, step)}
          aria-current={at === m.at ? 'step' : undefined}
          title={`After ${step.step} steps of training${isDone(m, step) ? ': written' : ''}`}
          onClick={() => {
            m.playing = false;
            go(store, at);
          }}
        >
          {step.step}
        </button>
      ))}
    </div>
  </>
);

const Written = ({ m, step }) => {
  const entry = textOf(m, step);
  const writing = Boolean(entry && !entry.done && !entry.stopped);
  const note = !entry
    ? 'Nothing is written at this step yet with these settings.'
    : entry.error
      ? ''
      : entry.done
        ? [`${entry.tokens} tokens`, entry.ending, entry.known].filter(Boolean).join(' · ')
        : entry.stopped
          ? 'stopped before it was done'
          : m.waits
            ? 'waiting for a place…'
            : entry.text
              ? 'writing…'
              : 'its turn will come…';
  return (
    <>
      <div className="machine-text" id="machine-text" data-writing={writing} data-done={Boolean(entry && entry.done)}>
        <span className="given">{promptOf(m)}</span>
        <span id="machine-written" key={entry ? entry.born : ''}>
          {entry ? entry.text : ''}
        </span>
      </div>
      {entry && entry.error && (
        <p className="error" role="alert">
          {entry.error}
        </p>
      )}
      <p className="machine-foot" role="status">
        {note}
      </p>
    </>
  );
};

const None = ({ train }) => (
  <>
    <p id="machine-none">
      There is nothing to travel through yet: no training on this machine has kept how its model was along the way.
    </p>
    <p>Every training does. Bring a text you love, and its steps appear here while the model learns.</p>
    <p>
      <button
        type="button"
        className="wanted"
        id="machine-train"
        onClick={train}
        title="Open “Train”: bring a text, and a model learns from it"
      >
        Train a model of your own
      </button>
    </p>
    <p className="about">With no text at hand, the six tales that come with Inkling will do:</p>
    <pre>python -m train.pretrain --preset story</pre>
  </>
);

const Travel = ({ m, store }) => {
  const box = useRef(null);
  const run = runOf(m);
  const step = stepOf(m);
  const marks = run.steps.map((each) => each.step);
  const drawn = JSON.stringify([run.key, step.step, marks, run.curve.valid.length, run.curve.train.length]);
  useEffect(() => {
    const pick = (at) => {
      m.playing = false;
      go(store, marks.indexOf(at));
    };
    if (box.current && window.inkling.drawCurve)
      window.inkling.drawCurve(box.current, { curve: run.curve, marks, at: step.step, pick });
  }, [drawn]);
  const done = run.steps.filter((each) => isDone(m, each)).length;
  return (
    <>
      <Asked m={m} store={store} />
      <Steps m={m} steps={run.steps} store={store} />
      <div className="machine-row">
        <button
          type="button"
          id="machine-play"
          className="wanted"
          onClick={() => play(store)}
          title="Go through the training from here to its end, one step after the other"
        >
          {m.playing ? 'Pause' : '▶ Play'}
        </button>
        <button
          type="button"
          id="machine-write"
          className="quiet"
          disabled={isDone(m, step) && !textOf(m, step).error}
          onClick={() => write(store, [step])}
          title="Let the model write as it was at this step"
        >
          Write this step
        </button>
        <button
          type="button"
          id="machine-all"
          className="quiet"
          disabled={done === run.steps.length}
          onClick={() => write(store, run.steps)}
          title="Let it write at every step; then sliding is instant"
        >
          Write all steps
        </button>
        {m.job && (
          <button
            type="button"
            id="machine-stop"
            className="quiet"
            title="Write no more"
            onClick={() => {
              stop(store);
              store.tell();
            }}
          >
            Stop
          </button>
        )}
        <span className="status" id="machine-count">
          {done} of {run.steps.length} written
        </span>
      </div>
      <section className="machine-says" aria-live="polite">
        <h3>
          After {step.step.toLocaleString('en-US')} {step.step === 1 ? 'step' : 'steps'} of training
        </h3>
        <p>{step.says.join(' ')}</p>
      </section>
      <Written m={m} step={step} />
      <div id="machine-curve" ref={box} />
      {run.curve.train.length + run.curve.valid.length > 0 ? (
        <p className="curve-key">
          <span>
            <i />
            on its training text
          </span>
          <span className="of-valid">
            <i />
            on text it never saw: this one counts
          </span>
        </p>
      ) : (
        <p className="about">This run has no log of its losses (metrics.jsonl), so no curve can be drawn.</p>
      )}
    </>
  );
};

function StoryMachine() {
  const { session } = useChatSession();
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'machine', ENTRY);
  const socket = session && session.socket;
  if (!store.machine) store.machine = newMachine();
  const m = store.machine;

  useEffect(() => {
    if (socket) listen(store, socket);
  }, [socket, store]);
  useEffect(() => {
    if (open && store.look) look(store);
    else if (!open) stop(store);
  }, [open, store]);

  if (!open || !store.state) return null;
  return (
    <section className="panel wide" id="machine-panel" aria-label="Time machine">
      <header>
        <h2>Time machine</h2>
        <button type="button" className="quiet" title="Close (Esc)" onClick={() => store.open('machine')}>
          Close
        </button>
      </header>
      <p className="about">
        The same beginning and the same dice, at each step of the training that was kept: from noise to story.
      </p>
      {m.problem && (
        <p className="error" role="alert">
          {m.problem}
        </p>
      )}
      {!m.runs ? (
        !m.problem && <p className="status">looking for runs…</p>
      ) : m.runs.length ? (
        <Travel m={m} store={store} />
      ) : (
        <None train={() => store.open('train')} />
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryMachine', StoryMachine);
