// @ts-check
// Takes side by side, between the story and its controls: to pick from, or to vote on while nobody is named.

import { sessionIdState, useChatData } from '@chainlit/react-client';
import { useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { aboutTakes } = window.inkling.sentences;
/** @type {['a' | 'b' | 'tie', string, string][]} */
const VOTES = [
  ['a', 'A is better', 'Go on with A; B stays, as an alternative'],
  ['b', 'B is better', 'Go on with B; A stays, as an alternative'],
  ['tie', 'No difference', 'Neither is better: it counts as half a win for both, and the story goes on with A'],
];

/** @param {{act: (request: Page.Act) => void}} props */
const VoteRow = ({ act }) => (
  <div className="vote-row">
    {VOTES.map(([choice, label, title]) => (
      <button
        key={choice}
        type="button"
        id={`vote-${choice}`}
        className="quiet"
        title={title}
        onClick={() => act({ act: 'vote', choice })}
      >
        {label}
      </button>
    ))}
    <button
      type="button"
      id="vote-none"
      className="quiet"
      title="Tell who wrote which; this round then does not count"
      onClick={() => act({ act: 'reveal' })}
    >
      Show the names, no vote
    </button>
  </div>
);

// Who was who, and another round from where the story ends now.
const Verdict = ({ said, again }) => (
  <p className="verdict" id="verdict">
    {said}{' '}
    {again && (
      <button
        type="button"
        id="compare-again"
        className="quiet"
        onClick={again}
        title="The same two write on from here, side by side"
      >
        Once more
      </button>
    )}
  </p>
);

/** @param {{takes: Page.Take[], busy: boolean, act: (request: Page.Act) => void, hidden: boolean}} props */
const Takes = ({ takes, busy, act, hidden }) => (
  <section className="takes" aria-label="Versions to pick from">
    <p>{aboutTakes(takes.length, hidden, busy)}</p>
    <div className="takes-grid">
      {takes.map((take, at) => (
        <button
          key={take.id}
          type="button"
          className="take"
          data-take={at + 1}
          disabled={busy}
          title="Go on with this one"
          onClick={() => act(hidden ? { act: 'vote', choice: at ? 'b' : 'a' } : { act: 'pick', passage: take.id })}
        >
          <span className="take-words">{take.tokens.join('')}</span>
          {!busy && take.tokens.join('') === '' && <i>no words: the story ends here</i>}
          {take.label && <span className="take-label">{take.label}</span>}
          {take.facts && (
            <span className="take-facts">
              Seed {take.facts.seed}
              {!busy && take.facts.ending && ` · ${take.facts.ending}`}
            </span>
          )}
        </button>
      ))}
    </div>
    {hidden && !busy && <VoteRow act={act} />}
  </section>
);

function StoryTakes() {
  const { loading } = useChatData();
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const { state } = store;
  const first = state && state.takes.length > 1 ? state.takes[0].id : null;

  // All of them are to be seen, and not the end of the page alone.
  useEffect(() => {
    const box = first && document.querySelector('.takes');
    if (!box) return;
    store.follow = false;
    box.scrollIntoView({ block: 'start' });
  }, [first]);

  if (!state) return null;
  const busy = loading || state.writing;
  const { takes, contest } = state;
  const verdict = contest && !contest.waits && !busy && (contest.said || !takes.length);
  if (!takes.length && !verdict) return null;
  return (
    <div className="story choosing">
      {takes.length > 0 && <Takes takes={takes} busy={busy} act={store.act} hidden={!takes[0].facts} />}
      {verdict && <Verdict said={contest.said} again={!takes.length && store.compareAgain} />}
    </div>
  );
}

export default window.inkling.lasting('StoryTakes', StoryTakes);
