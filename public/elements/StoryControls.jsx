// What a writer does with the story: the row below it, the row of the passage that was clicked, keys
// and help. StoryView hears the server and draws the text; both share one store for each session.

import { sessionIdState, useChatData, useChatInteract } from '@chainlit/react-client';
import { useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { make, button, input, setInput, startAnew } = window.inkling;
const KEYS = [
  ['Ctrl+Enter', 'Continue (Enter on an empty line does the same)'],
  ['Alt+R', 'Retry'],
  ['Esc', 'Stop'],
  ['Alt+Z', 'Undo'],
  ['Alt+Shift+Z', 'Redo'],
  ['Alt+,  Alt+.', 'The alternative before, the one after'],
  ['Ctrl+Z  Ctrl+Y  ←  →', 'Undo, redo and alternatives, while you are not typing'],
];
const TAKES = [1, 2, 3, 4, 5, 6, 7, 8];
const PREVIOUS = 'The version before this one (Alt+,)';
const NEXT = 'The version after this one (Alt+.)';
const RETRY = 'The model writes this passage anew; the old one stays, see the arrows (Alt+R)';

const isTyping = (node) => /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) || node.isContentEditable;

const arrows = (passage, act) => {
  if (passage.places < 2) return [];
  const step = (by) => () => act({ act: 'step', passage: passage.id, by });
  return [
    button('previous', '◀', PREVIOUS, step(-1), passage.place === 1),
    make('span', 'place', `${passage.place}/${passage.places}`),
    button('next', '▶', NEXT, step(1), passage.place === passage.places),
  ];
};

const passageRow = (passage, last, store, edit) => {
  const row = make('span', 'passage-row');
  const model = passage.author === 'model';
  const token = model && store.token !== null && store.token < passage.tokens.length - 1 ? store.token : null;
  row.append(...arrows(passage, store.act));
  if (passage.author !== 'writer')
    row.append(
      button('retry', 'Retry', RETRY, () =>
        store.send('Retry', { ask: 'retry', passage: passage.id, takes: store.takes }),
      ),
    );
  row.append(button('edit', 'Edit', 'Change these words; the text as it was stays, as an alternative', edit));
  if (!last)
    row.append(
      button(
        'branch',
        'Branch from here',
        'Go on from the end of this passage; what follows now stays, see the arrows',
        () => store.act({ act: 'branch', passage: passage.id }),
      ),
    );
  if (model) {
    row.append(
      button(
        'retry-with',
        'Retry with…',
        'Turn the dials that made this passage, and write it anew; the old one stays',
        () => store.open('tune', passage.id),
      ),
      button(
        'again',
        'Same again',
        'Write it once more from its own settings and seed: the same text, to the letter',
        () => store.send('Same again', { ask: 'again', passage: passage.id }),
      ),
      button(
        'copied',
        'Is this copied?',
        'Look for the words of this passage in the text that its model learnt from',
        () => store.open('copied', passage.id),
      ),
    );
  }
  if (token !== null)
    row.append(
      button(
        'cut',
        `Cut after “${passage.tokens[token].trim() || '↵'}”`,
        'Keep the words up to the one you clicked, and go on from there; the whole passage stays as an alternative',
        () => store.act({ act: 'cut', passage: passage.id, tokens: token + 1 }),
      ),
    );
  return row;
};

const editRow = (passage, store, done) => {
  const row = make('span', 'passage-row editing');
  const field = make('textarea', 'edit-words');
  field.value = passage.tokens.join('');
  field.setAttribute('aria-label', 'The words of this passage');
  const save = (more) => {
    store.act({ act: 'edit', passage: passage.id, text: field.value, ...more });
    done();
  };
  const goOn = () => {
    save({ rest: false });
    store.send('Continue', { ask: 'continue', takes: store.takes });
  };
  const fit = () => {
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  field.oninput = fit;
  field.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') done();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      save();
    }
  };
  row.append(
    field,
    button('save', 'Save', 'Keep the new words; those after them stay (Ctrl+Enter)', () => save()),
    button('go-on', 'Save and continue', 'Keep the new words, and let the model write on from them', goOn),
    button('cancel', 'Cancel', 'Leave it as it was (Esc)', done),
  );
  row.onclick = (event) => event.stopPropagation();
  requestAnimationFrame(() => {
    fit();
    field.focus();
  });
  return row;
};

// The row stands inside the passage that StoryView drew. It is drawn anew only when it would change.
const placeRow = (store, busy, redraw) => {
  const text = document.getElementById('story-text');
  if (!text) return;
  const { state } = store;
  const passages = state ? state.passages : [];
  const passage = busy ? undefined : passages.find((each) => each.id === store.selected);
  const editing = Boolean(passage) && store.editing === passage.id;
  const mark =
    passage &&
    [passage.id, passage.place, passage.places, editing, editing || store.token, state.revision * !editing].join();
  const node = passage && text.querySelector(`.passage[data-id="${passage.id}"]`);
  text.querySelectorAll('.passage-row').forEach((row) => {
    if (row.parentNode !== node || row.mark !== mark) row.remove();
  });
  text.querySelectorAll('.passage').forEach((each) => {
    each.classList.toggle('selected', each === node);
    each.classList.toggle('in-edit', editing && each === node);
  });
  if (!node || node.querySelector('.passage-row')) return;
  const edit = (id) => () => {
    store.editing = id;
    redraw();
  };
  const last = passage === passages[passages.length - 1] && !state.takes.length;
  const row = editing ? editRow(passage, store, edit(null)) : passageRow(passage, last, store, edit(passage.id));
  row.mark = mark;
  node.append(row);
};

const Facts = ({ facts }) => (
  <div className="facts facts-below">
    <p className="facts-head">
      <b>{facts.model}</b>
      {facts.ending && ` · ${facts.ending}`}
      {facts.moved && ' · the words before it were changed since'}
    </p>
    <p className="facts-settings">
      {facts.settings.map(({ name, label, value }) => (
        <span key={name} data-setting={name}>
          {label} <i>{value}</i>
        </span>
      ))}
      {facts.seed !== null && (
        <span data-setting="seed">
          Seed <i>{facts.seed}</i>
        </span>
      )}
    </p>
    {facts.ending && (
      <p className="facts-made">
        {facts.tokens}
        {facts.tokens === 1 ? ' token' : ' tokens'}
        {facts.rate ? ` · ${facts.rate} a second` : ''}
      </p>
    )}
  </div>
);

const Meter = ({ meter }) => {
  if (!meter) return null;
  const full = Math.min(100, Math.round((100 * meter.used) / meter.window));
  const hidden = meter.story + 1 - meter.used;
  const about =
    hidden > 0
      ? `The story has ${meter.story} tokens; the model reads the last ${meter.used}. What it cannot see is dimmed.`
      : `The model can read ${meter.window} tokens at once; the story has ${meter.story}, and it sees them all.`;
  return (
    <span className="meter" title={about} data-used={meter.used} data-window={meter.window}>
      <span className="meter-bar">
        <span style={{ width: `${full}%` }} />
      </span>
      {meter.used} of {meter.window} tokens in sight
    </span>
  );
};

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
  const busy = loading || Boolean(state && state.writing);

  useEffect(() => {
    placeRow(store, busy, redraw);
  });

  const passages = state ? state.passages : [];
  const written = passages.filter((each) => each.author !== 'writer').pop();
  const selected = passages.find((each) => each.id === store.selected);
  const chosen = [...passages].reverse().find((each) => each.places > 1);
  const goOn = () => state && !state.ended && store.send('Continue', { ask: 'continue', takes: store.takes });
  const retry = () => {
    const again = selected && selected.author !== 'writer' ? selected : written;
    if (again) store.send('Retry', { ask: 'retry', passage: again.id, takes: store.takes });
  };
  const step = (by) => store.act({ act: 'step', passage: selected ? selected.id : 'last', by });

  useEffect(() => {
    const press = (event) => {
      const { code, key, ctrlKey, metaKey, altKey, shiftKey, target } = event;
      if (key === 'Escape' && busy) return stopTask();
      if (event.isComposing || !state || document.querySelector('[role=dialog]:not(.odds)')) return undefined;
      const mod = ctrlKey || metaKey;
      const alone = !isTyping(target);
      const empty = target === input() && !target.value.trim();
      let todo;
      if (key === 'Escape')
        todo = () => {
          store.selected = store.help = store.editing = null;
          redraw();
        };
      else if (key === 'Enter' && !shiftKey && empty)
        todo = () => {
          if (target.value) setInput('');
          goOn();
        };
      else if (key === 'Enter' && mod && alone) todo = goOn;
      else if (altKey && !mod && code === 'KeyR') todo = retry;
      else if (code === 'KeyZ' && ((altKey && !mod) || (mod && !altKey && alone)))
        todo = () => store.act({ act: shiftKey ? 'redo' : 'undo' });
      else if (code === 'KeyY' && mod && alone) todo = () => store.act({ act: 'redo' });
      else if (altKey && !mod && (code === 'Comma' || code === 'Period')) todo = () => step(code === 'Comma' ? -1 : 1);
      else if (alone && !target.dataset.odds && !mod && !altKey && !shiftKey && /^Arrow(Left|Right)$/.test(key))
        todo = () => step(key === 'ArrowLeft' ? -1 : 1);
      if (!todo || (busy && key !== 'Escape')) return undefined;
      if (key !== 'Escape') event.preventDefault();
      return todo();
    };
    document.addEventListener('keydown', press, true);
    return () => document.removeEventListener('keydown', press, true);
  });

  if (!state || (!passages.length && !state.takes.length && !state.undo && !state.redo && !store.help)) return null;
  const shown = (selected && selected.facts) || (written && written.facts);
  const row = chosen && { ...chosen, act: store.act };
  const waits = Boolean(state.contest && state.contest.waits);
  return (
    <div className="story tail" data-busy={busy}>
      {state.ended && (
        <p className="the-end" id="story-end" title="Write a line yourself to go on, or begin a new story">
          The end
        </p>
      )}
      {state.ended && !busy && (
        <p className="after-the-end">
          The model closed this story. Write a line yourself to go on, retry it, or begin a new one.
        </p>
      )}
      <div className="tail-row">
        {busy ? (
          <span className="status" role="status">
            {state.status || 'writing'}…
          </span>
        ) : (
          <>
            {!state.ended && !waits && (
              <button
                type="button"
                id="story-continue"
                className="quiet"
                onClick={goOn}
                title="The model writes on (Enter on an empty line, or Ctrl+Enter)"
              >
                Continue
              </button>
            )}
            {!state.ended && !state.whole && !waits && passages.length > 0 && (
              <button
                type="button"
                id="story-finish"
                className="quiet"
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
            {row && (
              <span className="arrows">
                <button
                  type="button"
                  id="story-previous"
                  className="quiet"
                  disabled={row.place === 1}
                  title={PREVIOUS}
                  onClick={() => row.act({ act: 'step', passage: row.id, by: -1 })}
                >
                  ◀
                </button>
                <span id="story-place">
                  {row.place}/{row.places}
                </span>
                <button
                  type="button"
                  id="story-next"
                  className="quiet"
                  disabled={row.place === row.places}
                  title={NEXT}
                  onClick={() => row.act({ act: 'step', passage: row.id, by: 1 })}
                >
                  ▶
                </button>
              </span>
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
