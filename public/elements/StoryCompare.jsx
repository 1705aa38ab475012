// @ts-check
// Compare: two models, two saved steps of a run, or two settings write the same story on. The server decides who is A
// and who is B, and tells nobody until one was chosen. The takes and the vote stand below the story (StoryTakes).

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { panelHead } = window.inkling.panel;
const ENTRY = {
  label: 'Compare',
  place: 4,
  title: 'Two models, or two settings, write the same story side by side; with their names hidden, if you like',
};
const NAMES = ['The one', 'The other'];
const SHARE =
  'Share of rounds won; a level one is half a win. In brackets: where the true share lies, 95 times in 100 ' +
  '(Wilson interval)';
const BLIND =
  'You see A and B in an order of chance, both at once when both are done, so that neither name nor speed sways you. ' +
  'Your choice is kept as a vote.';
const PHONE = '(max-width: 640px)';

const { input, isCommand, setInput } = window.inkling.composer;
const { arrive, beginAnew, choose, contestants, forget, load, saveCsv } = window.inkling.compare;
const { wholePercent } = window.inkling.numbers;

// The words in the composer come first, as with any message; they come back where this cannot be done.
const begin = (store) => () => {
  const c = store.compare;
  const field = input();
  const words = field && !isCommand(field.value) ? field.value : '';
  if (words) setInput('');
  store.compareAgain = begin(store);
  store.send('Compare', { ask: 'compare', contestants: contestants(c), blind: c.blind, words });
  if (store.panel === 'compare' && window.matchMedia(PHONE).matches) store.open('compare');
};

const Side = ({ side, store }) => {
  const c = store.compare;
  const own = c.own[side];
  const changed = Object.values(own).some((value) => value !== '');
  const take = (chosen) => {
    choose(c, side, chosen);
    store.tell();
  };
  return (
    <fieldset className="compare-side" id={`compare-side-${side + 1}`}>
      <label>
        {NAMES[side]}
        <select
          value={c.models[side]}
          title="Who writes: a model, or a saved step of a training"
          onChange={(event) => take({ model: event.target.value })}
        >
          <optgroup label="Models">
            {store.state.models.map(({ key }) => (
              <option key={key} value={key}>
                {key}
              </option>
            ))}
          </optgroup>
          {c.runs.map((run) => (
            <optgroup key={run.key} label={`Saved steps of ${run.key}`}>
              {run.steps.map(({ key, step }) => (
                <option key={key} value={key}>
                  {run.key}, step {step}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <details open={changed || undefined}>
        <summary title="Left empty, a setting is as it is set for the chat, or else as the model has it">
          {changed ? 'Settings of its own' : 'Settings: as set'}
        </summary>
        <div className="compare-presets" role="group" aria-label="Start from a preset">
          {c.presets.map((preset) => (
            <button
              key={preset.name}
              type="button"
              className="quiet"
              title={preset.about}
              onClick={() => take({ own: { ...preset.settings } })}
            >
              {preset.name}
            </button>
          ))}
          {changed && (
            <button
              type="button"
              className="quiet"
              title="As it is set for the chat, or else as the model has it"
              onClick={() => take({ own: {} })}
            >
              As set
            </button>
          )}
        </div>
        <div className="compare-settings">
          {c.settings.map((each) => (
            <label key={each.name} title={`${each.about} It takes ${each.range}.`}>
              {each.label}
              <input
                type="text"
                inputMode="decimal"
                data-setting={each.name}
                placeholder={each.set[side] || each.set[0]}
                value={own[each.name] || ''}
                onChange={(event) => take({ own: { ...own, [each.name]: event.target.value } })}
              />
            </label>
          ))}
        </div>
      </details>
    </fieldset>
  );
};

const figures = (/** @type {Page.VoteRecord} */ { wins, losses, ties, rate, low, high }) => [
  <td key="wins">{wins}</td>,
  <td key="losses">{losses}</td>,
  <td key="ties">{ties}</td>,
  <td key="rate">
    {wholePercent(rate)}{' '}
    <small>
      ({wholePercent(low)} to {wholePercent(high)})
    </small>
  </td>,
];
const Head = ({ who }) => (
  <thead>
    <tr>
      <th>{who}</th>
      <th title="Rounds it was chosen">Won</th>
      <th title="Rounds the other was chosen">Lost</th>
      <th title="Rounds without a difference">Level</th>
      <th title={SHARE}>Share won</th>
    </tr>
  </thead>
);

/** @param {{votes: Page.Votes, store: any}} props */
const Votes = ({ votes, store }) => (
  <>
    <h3>Your votes so far: {votes.count}</h3>
    {votes.pairs.map((pair) => (
      <div className="compare-pair" key={`${pair.first} ${pair.second}`}>
        <table>
          <Head who={`Against ${pair.second}`} />
          <tbody>
            <tr>
              <td>{pair.first}</td>
              {figures(pair)}
            </tr>
          </tbody>
        </table>
        <p className="words">{pair.words}</p>
      </div>
    ))}
    {votes.pairs.length > 1 && (
      <table id="compare-overall">
        <Head who="Each against all it met" />
        <tbody>
          {votes.contestants.map((each) => (
            <tr key={each.name}>
              <td>{each.name}</td>
              {figures(each)}
            </tr>
          ))}
        </tbody>
      </table>
    )}
    <p className="about">
      Decide how many rounds you will vote before you begin. Whoever looks after each vote, and stops when it suits,
      finds a winner by chance.
    </p>
    <p>
      <button
        type="button"
        className="quiet"
        id="votes-csv"
        onClick={() => saveCsv(store)}
        title="A .csv for a spreadsheet: each vote with both texts, both models and all settings"
      >
        Save all votes
      </button>
      <button
        type="button"
        className="quiet"
        id="votes-forget"
        onClick={() => forget(store)}
        title="Delete every vote of yours; your stories stay"
      >
        {store.compare.sure ? 'Really delete them all?' : 'Delete all votes'}
      </button>
    </p>
  </>
);

function StoryCompare() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const c = store.compare || arrive(store);
  const open = window.inkling.usePanel({ useEffect }, store, 'compare', ENTRY);
  const { state } = store;
  const contest = state?.contest;
  const mark =
    open && state
      ? `${contest ? contest.said : ''} ${state.writing} ${state.tuning.changes} ${state.revision} ${c.models}`
      : '';

  // The list of models and the votes may have grown since; a vote is kept before its outcome is told.
  useEffect(() => {
    if (mark && c.seen !== mark) load(store);
    c.seen = mark;
  }, [mark]);

  if (!open || !state) return null;
  const keys = state.models.map(({ key }) => key);
  const steps = c.runs.flatMap((run) => run.steps.map(({ key }) => key));
  [0, 1].forEach((side) => {
    if (![...keys, ...steps].includes(c.models[side]))
      c.models[side] = store.model && keys.includes(store.model) ? store.model : keys[0];
  });
  const waits = Boolean(contest?.waits);
  const unread = [...new Set(c.unread.filter(Boolean))];
  return (
    <section className="panel" id="panel-compare" aria-label="Compare">
      {panelHead(createElement, 'Compare', () => store.open('compare'))}
      <p className="about">
        Two write the same story on, from the same words and with the same dice. You pick the one to go on with; the
        other stays as an alternative.
      </p>
      <Side side={0} store={store} />
      <Side side={1} store={store} />
      <label
        className="compare-blind"
        title="A blind vote: nothing on this page tells who is who until you have chosen"
      >
        <input
          type="checkbox"
          id="compare-blind"
          checked={c.blind}
          onChange={(event) => {
            c.blind = event.target.checked;
            store.tell();
          }}
        />{' '}
        Hide the names
      </label>
      <p className="about">
        {c.blind ? BLIND : 'With hidden names your choices are kept as votes, and summed up here.'}
      </p>
      {unread.length > 0 && (
        <div id="compare-unread">
          {unread.map((why) => (
            <p key={why} className="error">
              {why}
            </p>
          ))}
          <button
            type="button"
            className="wanted"
            id="compare-anew"
            onClick={() => beginAnew(store)}
            title="A blank page for these two; this story is kept beside it"
          >
            Begin a new story for these two
          </button>
        </div>
      )}
      <button
        type="button"
        className={unread.length ? 'quiet' : 'wanted'}
        id="compare-begin"
        disabled={state.writing || waits || unread.length > 0}
        onClick={begin(store)}
        title="Both write on from the end of the story; words in the field below come first"
      >
        {store.compareAgain ? 'Once more' : 'Let both write'}
      </button>
      {waits && <p className="about">Choose between A and B below the story.</p>}
      {contest?.said && (
        <p className="words" id="compare-said">
          {contest.said}
        </p>
      )}
      {c.problem && <p className="error">{c.problem}</p>}
      {c.votes && c.votes.count > 0 && <Votes votes={c.votes} store={store} />}
    </section>
  );
}

export default window.inkling.lasting('StoryCompare', StoryCompare);
