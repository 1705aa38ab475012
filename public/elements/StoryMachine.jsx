// @ts-check
// The time machine: a slider over the saved steps of a run, and what the model wrote at each from the same beginning
// with the same dice (shared/machine.js). A closed panel or page ends what is being written.

import { sessionIdState, useChatSession } from '@chainlit/react-client';
import { createElement, useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { curveKey, errorLine, panelHead } = window.inkling.panel;
/**
 * @typedef {import('../shared/store.js').Store} Store
 * @typedef {import('../shared/machine.js').Machine} Machine
 */

const { machine, drawCurve } = window.inkling;
const { newMachine, runOf, stepOf, promptOf, temperatureOf, lengthOf, textOf, isDone, noteOn } = machine;
const { listen, stop, write, go, play, choose, findRuns, set } = machine;
const ENTRY = {
  label: 'Time machine',
  place: 6,
  title: 'Watch a model learn: what it wrote after 0 steps of training, after 10, after 100 … from the same beginning',
};

/** @param {{m: Machine, store: Store}} props */
const Asked = ({ m, store }) => {
  const change = (name) => (event) => set(store, name, event.target.value);
  return (
    <div className="machine-asked">
      <label>
        Run
        <select
          id="machine-run"
          value={m.run || ''}
          title="Which training to look at: those that kept weights along the way"
          onChange={(event) => choose(store, event.target.value)}
        >
          {m.runs?.map((run) => (
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

/** @param {{m: Machine, steps: Page.SavedStep[], store: Store}} props */
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

/** @param {{m: Machine, step: Page.SavedStep}} props */
const Written = ({ m, step }) => {
  const entry = textOf(m, step);
  const writing = Boolean(entry && !entry.done && !entry.stopped);
  const note = noteOn(entry, m.waits);
  return (
    <>
      <div className="machine-text" id="machine-text" data-writing={writing} data-done={Boolean(entry?.done)}>
        <span className="given">{promptOf(m)}</span>
        <span id="machine-written" key={entry ? entry.born : ''}>
          {entry ? entry.text : ''}
        </span>
      </div>
      {errorLine(createElement, entry?.error)}
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

/** @param {{m: Machine, store: Store, run: Page.Run, step: Page.SavedStep}} props */
const Travel = ({ m, store, run, step }) => {
  const box = useRef(null);
  const marks = run.steps.map((each) => each.step);
  const drawn = JSON.stringify([run.key, step.step, marks, run.curve.valid.length, run.curve.train.length]);
  useEffect(() => {
    const pick = (at) => {
      m.playing = false;
      go(store, marks.indexOf(at));
    };
    if (box.current) drawCurve(box.current, { curve: run.curve, marks, at: step.step, pick });
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
          disabled={isDone(m, step) && !textOf(m, step)?.error}
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
        curveKey(createElement)
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
  const socket = session?.socket;
  if (!store.machine) store.machine = newMachine();
  const m = store.machine;

  useEffect(() => {
    if (socket) listen(store, socket);
  }, [socket, store]);
  useEffect(() => {
    if (open && store.state) findRuns(store);
    else if (!open) stop(store);
  }, [open, store]);

  if (!open || !store.state) return null;
  const run = runOf(m);
  const step = stepOf(m);
  return (
    <section className="panel wide" id="machine-panel" aria-label="Time machine">
      {panelHead(createElement, 'Time machine', () => store.open('machine'))}
      <p className="about">
        The same beginning and the same dice, at each step of the training that was kept: from noise to story.
      </p>
      {errorLine(createElement, m.problem)}
      {!m.runs ? (
        !m.problem && <p className="status">looking for runs…</p>
      ) : m.runs.length ? (
        run && step && <Travel m={m} store={store} run={run} step={step} />
      ) : (
        <None train={() => store.open('train')} />
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryMachine', StoryMachine);
