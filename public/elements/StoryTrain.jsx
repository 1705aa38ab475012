// @ts-check
// Train a model on a text of one's own, and watch it learn (shared/train.js). The training is a process of its own:
// this page only looks.

import { sessionIdState, useChatInteract } from '@chainlit/react-client';
import { createElement, useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { panelHead } = window.inkling.panel;
const ENTRY = {
  label: 'Train',
  title: 'Train a model of your own on a text you bring, and write with it while it learns',
  place: 9,
};
const SOURCE = 'From nothing it learns your text alone; from a model that is there it begins with what that one knows';
const SHARE =
  'Everybody who comes in here can write with it, and train from it, under your name. ' +
  'Your text is shown to nobody; but a model may write lines that it learnt by heart';
const UNSHARE = 'It is yours alone again; what others wrote with it stays theirs';
const REFRESH_MS = 1500;
const STATES = { training: 'is learning', paused: 'paused', stopped: 'stopped', done: 'done', broken: 'broke off' };

const { bring, change, newTrain, plan, refresh, start } = window.inkling.train;
const { count, duration, readings } = window.inkling.numbers;
const { aboutLanguage, either, expected, inDetail } = window.inkling.sentences;

const Curve = ({ run }) => {
  const box = useRef(null);
  useEffect(() => {
    if (box.current && window.inkling.drawCurve)
      window.inkling.drawCurve(box.current, { curve: { train: run.train, valid: run.valid } });
  });
  return <div className="train-curve" ref={box} />;
};

/**
 * @param {object} props
 * @param {Page.Training} props.run
 * @param {boolean} props.others Whether somebody else may come in here, so that there is whom to share with.
 * @param {(request: import('../shared/train.js').Asked) => void} props.ask
 * @param {(model: string) => void} props.write
 * @param {boolean} props.writes
 * @param {(model: string) => void} props.why
 */
const Run = ({ run, others, ask, write, writes, why }) => (
  <article className="train-run" data-key={run.key} data-state={run.state}>
    <h3>
      <b>{run.key}</b> {STATES[run.state]}
      {run.shared && ' · shared'}
    </h3>
    <progress max={run.steps} value={run.step} title={`Step ${run.step} of ${run.steps}`} />
    <p className="about">
      Step {count(run.step)} of {count(run.steps)}
      {run.rate ? ` · ${count(run.rate)} tokens a second` : ''}
      {run.left_s ? ` · about ${duration(run.left_s)} left` : ''}
      {run.valid.length > 0 &&
        ` · loss on text it does not learn from: ${run.valid[run.valid.length - 1][1].toFixed(3)}`}
    </p>
    {run.why && <p className="error">{run.why}</p>}
    {run.train.length + run.valid.length > 0 && <Curve run={run} />}
    {run.sample && (
      <>
        <p className="about">What it writes after {count(run.sample.step)} steps:</p>
        <blockquote className="train-sample">{run.sample.text}</blockquote>
      </>
    )}
    <p className="train-buttons">
      {run.model && (
        <button
          type="button"
          className="wanted train-write"
          disabled={writes}
          onClick={() => write(run.key)}
          title="Pick this model in the composer; while it learns, each passage is written by its best weights so far"
        >
          {writes ? 'Writes now' : 'Write with it'}
        </button>
      )}
      {run.model && (
        <button
          type="button"
          className="quiet train-why"
          onClick={() => why(run.key)}
          title="Where it stands between noise and the best that its text allows, and what would help it most"
        >
          Gibberish?
        </button>
      )}
      {run.state === 'training' && (
        <button
          type="button"
          className="quiet train-pause"
          onClick={() => ask({ command: 'training_halt', key: run.key })}
          title="It saves where it is and gives the machine free; go on whenever you like"
        >
          Pause
        </button>
      )}
      {run.state === 'training' && (
        <button
          type="button"
          className="quiet train-stop"
          onClick={() => ask({ command: 'training_halt', key: run.key, for_good: true })}
          title="It saves where it is and ends; its best weights so far stay"
        >
          Stop
        </button>
      )}
      {['paused', 'stopped', 'broken'].includes(run.state) && (
        <button
          type="button"
          className="quiet train-resume"
          onClick={() => ask({ command: 'training_resume', key: run.key })}
          title="Go on from where it was left, as if it had never been"
        >
          Go on
        </button>
      )}
      {others && (run.model || run.shared) && (
        <button
          type="button"
          className="quiet train-share"
          aria-pressed={run.shared}
          onClick={() => ask({ command: 'training_share', key: run.key, shared: !run.shared })}
          title={run.shared ? UNSHARE : SHARE}
        >
          {run.shared ? 'Stop sharing' : 'Share'}
        </button>
      )}
    </p>
  </article>
);

function StoryTrain() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'train', ENTRY);
  const { windowMessage } = useChatInteract();
  const picker = /** @type {{current: any}} */ (useRef(null));
  const { state } = store;
  store.train ??= newTrain();
  const v = store.train;

  useEffect(() => {
    if (!open || !state) return undefined;
    refresh(store);
    const timer = setInterval(() => refresh(store), REFRESH_MS);
    return () => clearInterval(timer);
  }, [open, Boolean(state)]);

  if (!open || !state) return null;

  const write = (model) => windowMessage({ type: 'story_model', model });
  const sources = state.models
    .map(({ key }) => key)
    .filter((key) => !v.runs.some((run) => run.key === key && run.state === 'training'));

  return (
    <section className="panel" id="panel-train" aria-label="Train">
      {panelHead(createElement, 'Train', () => store.open('train'), 'Close (Esc); a training goes on')}
      <button
        type="button"
        id="train-drop"
        className="train-drop"
        title="A plain text file, up to 5 MB"
        onClick={() => picker.current.click()}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          bring(store, event.dataTransfer.files[0]);
        }}
      >
        Drop a <b>.txt</b> of stories you love here, or choose one
      </button>
      <input
        ref={picker}
        id="train-file"
        type="file"
        accept=".txt,text/plain"
        hidden
        onChange={(event) => {
          bring(store, event.target.files?.[0]);
          event.target.value = '';
        }}
      />
      {v.error && (
        <p className="error" id="train-error" role="alert">
          {v.error}
        </p>
      )}
      {v.text && (
        <div id="train-text">
          <p>
            <b>{v.text.name}</b>: {count(v.text.bytes / 1000)} kB, {count(v.text.words)} words, {v.text.characters}{' '}
            different characters
          </p>
          {v.language && <p id="train-language">{aboutLanguage(v.language, v.source)}</p>}
          {v.language?.known && v.language.little && (
            <div id="train-choice">
              {either(v.language.model).map(({ source, label, gives }) => (
                <button
                  key={source}
                  type="button"
                  className="train-way"
                  aria-pressed={v.source === source}
                  disabled={Boolean(v.status)}
                  onClick={() => plan(store, { source })}
                >
                  <b>{label}</b> {gives}
                </button>
              ))}
            </div>
          )}
          <label title={SOURCE}>
            Begin from{' '}
            <select
              id="train-source"
              value={v.source}
              disabled={Boolean(v.status)}
              onChange={(event) => plan(store, { source: event.target.value })}
            >
              <option value="">nothing: a small model of its own</option>
              {sources.map((key) => (
                <option key={key} value={key}>
                  {key}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      {v.status && (
        <p className="status" role="status">
          {v.status}…
        </p>
      )}
      {v.plan && (
        <div id="train-plan">
          <p title={inDetail(v.plan)}>
            About <b>{duration(v.plan.seconds)}</b> on this machine, as busy as it is now: it will read{' '}
            {readings(v.plan.passes)}.
          </p>
          <p className="about">{expected(v.plan.tokens, v.source)}</p>
          <button
            type="button"
            className="wanted"
            id="train-start"
            onClick={() => start(store)}
            title="It runs beside the chat, in a process of its own; you can go on writing"
          >
            Train
          </button>
        </div>
      )}
      {v.runs.map((run) => (
        <Run
          key={run.key}
          run={run}
          others={v.others}
          ask={(request) => change(store, request)}
          write={write}
          writes={store.model === run.key}
          why={(model) => store.open('why', model)}
        />
      ))}
      {!v.runs.length && !v.text && (
        <p className="about">
          Nothing was trained from here yet. What is trained appears among your models
          {v.others && ', and among those of everybody who writes here once you share it'}.
        </p>
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryTrain', StoryTrain);
