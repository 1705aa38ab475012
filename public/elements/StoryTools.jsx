// @ts-check
// What can be opened beside the story. Each panel is an element of its own and enters itself in the store.

import { modesState, sessionIdState, useChatInteract } from '@chainlit/react-client';
import { useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { moveFocus } = window.inkling.panel;

/** @type {[string, string, string[]][]} */
const GROUPS = [
  [
    'Write',
    'Other ways to let the model write on, and what it reads beside the story',
    ['tune', 'memory', 'ladder', 'compare'],
  ],
  ['Look closer', 'What the model thought, and where its words come from', ['tokens', 'dice', 'copied', 'why']],
  [
    'Text',
    'Find your way through the story and all the ways that it went, and see the likeliest next words',
    ['find', 'contents', 'branches', 'ghost'],
  ],
  ['Read', 'How the text looks, and hearing it', ['look', 'aloud']],
  ['Models', 'The ones you have, how they learnt, and how to train your own', []],
];
const TOKENS =
  'Shade each of the model’s tokens by how likely it was; point at one to see what else might have come, ' +
  'and branch there';
const ALOUD =
  'The browser’s own voice reads what you selected, else from the passage that you clicked, else from what you see, ' +
  'and marks each sentence';
const LADDER =
  'The model writes on five times, side by side, from careful (temperature 0.2) to wild (1.3), with the same dice; ' +
  'pick one';
// A tool that no group names is one of the models'.
const groupOf = (tool) => (GROUPS.find(([, , members]) => members.includes(tool)) || GROUPS[GROUPS.length - 1])[0];

function StoryTools() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const { windowMessage } = useChatInteract();
  const modes = useRecoilValue(modesState);
  const { state, panels, panel } = store;
  const models = modes.find(({ id }) => id === 'model');
  const picked = models?.options.find((each) => each.default)?.id;

  // What nobody set is as the model has it, so the gear shows the settings of the one that is picked.
  // Only where both agreed before is it the writer who picked, and not the server whose news have yet to come.
  const known = state ? state.model : null;
  const busy = Boolean(state?.writing);
  useEffect(() => {
    if (!picked) return;
    if (picked === known) store.agreed = known;
    else if (store.agreed === known && !busy) windowMessage({ type: 'story_model', model: picked });
  }, [picked, known, busy]);

  useEffect(() => {
    const press = (event) => {
      if (event.key !== 'Escape' || !store.panel || document.querySelector('.story[data-busy=true]')) return;
      if (event.target.closest?.('[data-esc]')) return; // it has an Esc of its own
      event.stopPropagation();
      store.open(store.panel);
    };
    document.addEventListener('keydown', press, true);
    return () => document.removeEventListener('keydown', press, true);
  }, [store]);
  useEffect(() => {
    document.body.classList.toggle('with-panel', Boolean(panel));
  }, [panel]);
  // The panel is an element of its own, drawn before this or after it.
  useEffect(() => {
    const frame = requestAnimationFrame(() => moveFocus(store));
    return () => cancelAnimationFrame(frame);
  });

  useEffect(() => window.inkling.ghost.watch(store), [store]);

  if (!state || state.models.length === 0 || panels.size === 0) return null;
  const { once } = state.tuning;
  const { aboutGhost, isOn, toggle } = window.inkling.ghost;
  const { aloud, begin: beginAloud, end: endAloud, hasVoices } = window.inkling.aloud;
  /** @type {[string, import('react').ReactNode][]} */
  const own = [
    [
      'tokens',
      <button
        key="tokens"
        type="button"
        id="story-tokens"
        className="quiet"
        aria-pressed={Boolean(store.shaded)}
        title={TOKENS}
        onClick={() => {
          store.shaded = !store.shaded;
          store.tell();
        }}
      >
        Tokens
      </button>,
    ],
    [
      'ladder',
      <button
        key="ladder"
        type="button"
        id="story-ladder"
        className="quiet"
        disabled={state.writing}
        title={LADDER}
        onClick={() => store.send('Ladder', { ask: 'ladder' })}
      >
        Ladder
      </button>,
    ],
    [
      'ghost',
      <button
        key="ghost"
        type="button"
        id="story-ghost"
        className="quiet"
        aria-pressed={isOn(store)}
        title={aboutGhost(store)}
        onClick={() => toggle(store)}
      >
        Ghost
      </button>,
    ],
    [
      'aloud',
      <button
        key="aloud"
        type="button"
        id="story-aloud"
        className="quiet"
        disabled={state.passages.length === 0}
        title={hasVoices() ? ALOUD : `This browser has no voice to read with. ${ALOUD}`}
        // What is selected stays selected.
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => (aloud.isOn ? endAloud() : beginAloud(store))}
      >
        {aloud.isOn ? 'Stop reading' : 'Read aloud'}
      </button>,
    ],
  ];
  /** @type {[string, import('react').ReactNode][]} */
  const opened = [...panels]
    .sort(([, one], [, other]) => one.place - other.place)
    .map(([name, { label, title }]) => [
      name,
      <button
        key={name}
        type="button"
        id={`open-${name}`}
        className="quiet"
        title={title}
        aria-pressed={panel === name}
        onClick={() => store.open(name)}
      >
        {label}
      </button>,
    ]);
  const [tokens, ladder, ...others] = own;
  const tools = [tokens, ladder, ...opened, ...others];
  const groups = GROUPS.map(([name, about]) => ({
    name,
    about,
    members: tools.filter(([tool]) => groupOf(tool) === name),
  }));
  return (
    <nav className="story tools" aria-label="Tools">
      {once.length > 0 && (
        <span className="armed" id="armed" title="Only the next message is written with these">
          Next message: {once.map(({ label, value }) => `${label} ${value}`).join(', ')}
          <button
            type="button"
            className="quiet"
            id="disarm"
            aria-label="Take these settings back"
            title="Take these settings back"
            onClick={() => store.act({ act: 'once', settings: {} })}
          >
            ✕
          </button>
        </span>
      )}
      {groups.map(
        ({ name, about, members }) =>
          members.length > 0 && (
            <div key={name} className="tools-group" role="group" aria-label={name}>
              <span className="tools-name" title={about}>
                {name}
              </span>
              <span className="tools-row">{members.map(([, button]) => button)}</span>
            </div>
          ),
      )}
    </nav>
  );
}

export default window.inkling.lasting('StoryTools', StoryTools);
