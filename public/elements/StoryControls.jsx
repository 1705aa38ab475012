// @ts-check
// What a writer does with the story: the row below it, keys and help. StoryView hears the server and draws the text,
// with the row of the passage that was clicked; both share one store for each session.

import { sessionIdState, useChatData, useChatInteract } from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { drawFacts, RETRY, stepsOf } = window.inkling;
const { breakLine, input, isCommand, literal, setInput, startAnew } = window.inkling.composer;
const { isTyping, keyAct, KEYS } = window.inkling.keys;
const { onPassage, toPassages, toPressed } = window.inkling.walk;
const TAKES = [1, 2, 3, 4, 5, 6, 7, 8];

/** @param {{facts: Page.Facts}} props */
const Facts = ({ facts }) => {
  const box = /** @type {{current: any}} */ (useRef(null));
  useEffect(() => drawFacts(box.current, facts), [facts]);
  return <div className="facts facts-below" ref={box} />;
};

/** @param {{passage: Page.Passage, above: number, act: (request: Page.Act) => void}} props */
const Arrows = ({ passage, above, act }) => {
  const [previous, next] = stepsOf(passage).map(({ name, label, said, title, by, disabled }) => (
    <button
      key={name}
      type="button"
      id={`story-${name}`}
      className="quiet"
      disabled={disabled}
      aria-label={said}
      title={title}
      onClick={() => act({ act: 'step', passage: passage.id, by })}
    >
      {label}
    </button>
  ));
  return (
    <span className="arrows">
      {previous}
      <span id="story-place">
        {passage.place}/{passage.places}
      </span>
      {next}
      {above > 0 && (
        <span id="story-above" title="These are the versions of a passage further up: all that follows it goes with it">
          {above === 1 ? 'of the passage before' : `of a passage ${above} above`}
        </span>
      )}
    </span>
  );
};

/** @param {{meter: Page.Meter | null}} props */
const Meter = ({ meter }) => {
  if (!meter) return null;
  const full = Math.min(100, Math.round((100 * meter.used) / meter.window));
  const about = window.inkling.sentences.aboutMeter(meter);
  return (
    <span className="meter" title={about} data-used={meter.used} data-window={meter.window}>
      <span className="meter-bar">
        <span style={{ width: `${full}%` }} />
      </span>
      {meter.about && 'about '}
      {meter.used} of {meter.window} tokens in sight
    </span>
  );
};

/** @param {{commands: Page.Events['story_help']['commands'], close: () => void}} props */
const Help = ({ commands, close }) => (
  <section className="help" id="story-help" aria-label="Commands and keys">
    <button type="button" className="quiet" onClick={close} title="Close (Esc)">
      Close
    </button>
    <dl>
      {commands.map(({ usage, about }) => [
        <dt key={usage}>
          <code>{usage}</code>
        </dt>,
        <dd key={`${usage}?`}>{about}</dd>,
      ])}
      {KEYS.map(([keys, about]) => [
        <dt key={keys}>
          <kbd>{keys}</kbd>
        </dt>,
        <dd key={`${keys}?`}>{about}</dd>,
      ])}
    </dl>
  </section>
);

function StoryControls() {
  const { stopTask } = useChatInteract();
  const { loading } = useChatData();
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const redraw = store.tell;
  const { state } = store;
  const busy = loading || Boolean(state?.writing);

  const passages = state ? state.passages : [];
  const written = passages.filter((each) => each.author !== 'writer').pop();
  const selected = passages.find((each) => each.id === store.selected);
  const chosen = passages.findLastIndex((each) => each.places > 1);
  const goOn = () => state && store.send('Continue', { ask: 'continue', takes: store.takes });
  const retry = () => {
    const again = selected && selected.author !== 'writer' ? selected : written;
    if (again) store.send('Retry', { ask: 'retry', passage: again.id, takes: store.takes });
  };
  const add = () => {
    const words = input()?.value || '';
    if (words.trim() && !isCommand(words)) {
      if (!store.act({ act: 'add', text: literal(words) })) return;
      window.inkling.toEnd(store);
      setInput('');
    } else input()?.focus();
  };
  const step = (by) => store.act({ act: 'step', passage: selected ? selected.id : 'last', by });

  useEffect(() => {
    const todo = {
      leave: () => {
        const nothing = !store.help && !store.selected && !document.querySelector('.panel');
        store.help = null;
        if (nothing && onPassage()) input()?.focus();
        else if (!(store.editing && store.leaveEdit?.())) Object.assign(store, { selected: null, editing: null });
        redraw();
      },
      empty: () => {
        if (input()?.value) setInput('');
        goOn();
      },
      continue: goOn,
      passages: toPassages,
      add,
      line: breakLine,
      retry,
      undo: () => store.act({ act: 'undo' }),
      redo: () => store.act({ act: 'redo' }),
      previous: () => step(-1),
      next: () => step(1),
      find: () => (store.panel === 'find' ? document.getElementById('find-words')?.focus() : store.open('find')),
      contents: () => store.open('contents'),
    };
    const press = (event) => {
      const { target } = event;
      if (event.key === 'Escape' && busy) {
        stopTask();
        return;
      }
      if (event.isComposing || !state || document.querySelector('[role=dialog]:not(.odds)')) return;
      const act = keyAct(event, {
        typing: isTyping(target),
        empty: target === input() && !target.value.trim(),
        composing: target === input() && Boolean(target.value.trim()) && !isCommand(target.value),
        onToken: Boolean(target.closest('[data-odds], [data-arrows], .passage-row')),
      });
      const opens = act === 'find' || act === 'contents';
      if (!act || (busy && !opens)) return;
      if (act !== 'leave') event.preventDefault();
      // Chainlit sends a line at any Enter but with Shift.
      if (act === 'line') event.stopPropagation();
      todo[act]();
    };
    document.addEventListener('keydown', press, true);
    return () => document.removeEventListener('keydown', press, true);
  });

  // While the model writes there are no buttons.
  useEffect(() => {
    if (!busy) toPressed();
  }, [busy]);

  if (!state || (!passages.length && !state.takes.length && !state.undo && !state.redo && !store.help)) return null;
  const shown = selected?.facts || written?.facts;
  const waits = Boolean(state.contest?.waits);
  return (
    <div className="story tail" data-busy={busy}>
      {state.ended && (
        <p className="the-end" id="story-end" title="Go on anyway, write a line yourself, or begin a new story">
          The end
        </p>
      )}
      {state.ended && !busy && (
        <p className="after-the-end">
          The model closed this story. Go on anyway, write a line yourself, retry it, or begin a new one.
        </p>
      )}
      <div className="tail-row">
        {busy ? (
          <span className="status" role="status">
            {state.status || 'writing'}…
          </span>
        ) : (
          <>
            {!waits && (
              <button
                type="button"
                id="story-continue"
                className="quiet"
                onClick={goOn}
                title="The model writes on (Enter on an empty line, or Ctrl+Enter)"
              >
                {state.ended ? 'Go on anyway' : 'Continue'}
              </button>
            )}
            {!waits && (
              <button
                type="button"
                id="story-add"
                className="quiet"
                onClick={add}
                title="What you typed joins the story, and the model writes nothing (Shift+Enter, /add)"
              >
                Add
              </button>
            )}
            {!waits && passages.length > 0 && (
              <button
                type="button"
                id="story-finish"
                className="quiet"
                disabled={state.whole}
                onClick={() => store.send('Finish', { ask: 'finish' })}
                title="The model writes on just to the end of the sentence"
              >
                Finish the sentence
              </button>
            )}
            {written && !waits && (
              <button type="button" id="story-retry" className="quiet" onClick={retry} title={RETRY}>
                Retry
              </button>
            )}
            <select
              id="story-takes"
              className="quiet"
              value={store.takes}
              aria-label="Versions at once"
              title="How many versions Continue and Retry write at once, side by side, for you to pick from"
              onChange={(event) => {
                store.takes = Number(event.target.value);
                redraw();
              }}
            >
              <optgroup label="Continue and Retry write so many at once">
                {TAKES.map((n) => (
                  <option key={n} value={n}>
                    {n === 1 ? '1 version' : `${n} versions`}
                  </option>
                ))}
              </optgroup>
            </select>
            <button
              type="button"
              id="story-undo"
              className="quiet"
              disabled={!state.undo}
              onClick={() => store.act({ act: 'undo' })}
              title="Take the last change back (Alt+Z)"
            >
              Undo
            </button>
            <button
              type="button"
              id="story-redo"
              className="quiet"
              disabled={!state.redo}
              onClick={() => store.act({ act: 'redo' })}
              title="Do again what was taken back (Alt+Shift+Z)"
            >
              Redo
            </button>
            <button
              type="button"
              id="story-new"
              className="quiet"
              onClick={startAnew}
              title="A blank page; this story is kept beside it"
            >
              New story
            </button>
            <button
              type="button"
              id="story-keys"
              className="quiet"
              onClick={() => store.send('/help')}
              title="All commands and keys"
            >
              Help
            </button>
            {chosen >= 0 && <Arrows passage={passages[chosen]} above={passages.length - 1 - chosen} act={store.act} />}
          </>
        )}
        <Meter meter={state.meter} />
      </div>
      {store.help && (
        <Help
          commands={store.help}
          close={() => {
            store.help = null;
            redraw();
          }}
        />
      )}
      {shown && <Facts facts={shown} />}
    </div>
  );
}

export default window.inkling.lasting('StoryControls', StoryControls);
