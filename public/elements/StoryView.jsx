// The story as one flowing text. The server's story is the truth; this keeps what it was sent and asks for the rest.
// Chainlit evaluates this file anew at will and remounts it for each session, so nothing of worth lives in the component:
// what was received is kept in a store for each session, and the text is drawn by hand, a span for each token.

import { modesState, sessionIdState, useChatData, useChatInteract, useChatSession } from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { make, input, setInput, startAnew } = window.inkling;
const NEAR_END_PX = 60;
const SYNC_DELAY_MS = 250;
const PATIENCE_MS = 60000;

const factsInto = (node, facts) => {
  node.replaceChildren();
  const head = make('p', 'facts-head');
  head.append(make('b', '', facts.model));
  if (facts.ending) head.append(` · ${facts.ending}`);
  if (facts.moved) head.append(' · the words before it were changed since');
  const made =
    facts.tokens + (facts.tokens === 1 ? ' token' : ' tokens') + (facts.rate ? ` · ${facts.rate} a second` : '');
  const list = make('p', 'facts-settings');
  const add = (name, label, value) => {
    const item = make('span', '', `${label} `);
    item.dataset.setting = name;
    item.append(make('i', '', value));
    list.append(item);
  };
  facts.settings.forEach((each) => add(each.name, each.label, each.value));
  if (facts.seed !== null) add('seed', 'Seed', facts.seed);
  node.append(head, list);
  if (facts.ending) node.append(make('p', 'facts-made', made));
};

// The writer's words in parts, so that a part can be dimmed; the model's come in tokens.
const partsOf = (passage) =>
  passage.author === 'model' ? passage.tokens : passage.tokens.join('').match(/\s*\S+|\s+/g) || [];

// How much of a surprise a token was to the model: 0 (likely) to 4 (under 1 in 100).
const ODDS = [0.5, 0.2, 0.05, 0.01];
const levelOf = (probability) => ODDS.filter((each) => probability < each).length;

const begin = (passage) => {
  const node = make('span', 'passage');
  node.dataset.id = passage.id;
  node.dataset.author = passage.author;
  node.title = 'Click to retry, edit or branch';
  if (passage.facts) node.append(make('aside', 'facts'));
  node.drawn = 0;
  return node;
};

const draw = (box, state, whole) => {
  state.passages.forEach((passage, at) => {
    const parts = partsOf(passage);
    let node = box.children[at];
    if (node && (node.dataset.id !== passage.id || node.drawn > parts.length)) {
      while (box.children.length > at) box.lastChild.remove();
      node = undefined;
    }
    if (!node) box.append((node = begin(passage)));
    if (whole && passage.facts) factsInto(node.firstChild, passage.facts);
    node.dataset.place = `${passage.place}/${passage.places}`;
    const fresh = document.createDocumentFragment();
    for (; node.drawn < parts.length; node.drawn++) {
      const part = make('span', 'part', parts[node.drawn]);
      part.dataset.i = node.drawn;
      const odds = passage.odds[node.drawn];
      if (odds !== undefined && odds !== null) part.dataset.odds = levelOf(odds);
      fresh.append(part);
    }
    node.append(fresh);
  });
  while (box.children.length > state.passages.length) box.lastChild.remove();
  dim(box, (state.meter && state.meter.unseen) || 0, whole);
};

// While a story grows more and more is out of sight: only what has just gone is touched, for a long one has thousands.
const dim = (box, unseen, whole) => {
  if (box.unseen === unseen && !whole) return;
  const onward = !whole && box.unseen !== undefined && unseen > box.unseen;
  const parts = box.querySelectorAll('.part'); // a live collection is counted anew after each class that changes
  let [count, at] = onward ? box.dimmed : [0, 0];
  for (; count < parts.length && at < unseen; count++) {
    parts[count].classList.add('unseen');
    at += parts[count].textContent.length;
  }
  if (!onward) for (let rest = count; rest < parts.length; rest++) parts[rest].classList.remove('unseen');
  Object.assign(box, { unseen, dimmed: [count, at] });
};

const received = (store, ask) => ({
  story_state: (state) => Boolean((store.state = state)),
  story_delta: (delta) => {
    const { state } = store;
    const drafts = state ? [...state.passages.slice(-1), ...state.takes] : [];
    const draft = drafts.find((each) => each.id === delta.passage);
    if (!draft || state.revision !== delta.revision || delta.from > draft.tokens.length) return ask();
    const known = draft.tokens.length - delta.from;
    draft.tokens.push(...delta.tokens.slice(known));
    draft.odds.push(...delta.odds.slice(known));
    state.meter = delta.meter;
    return false;
  },
  story_status: ({ status, writing }) => {
    if (store.state) Object.assign(store.state, { status, writing });
    return false;
  },
  // The address is the story's from the first word on. Chainlit would go there as to another page, and blink.
  first_interaction: ({ thread_id: thread }) => {
    if (window.location.pathname === '/') window.history.replaceState(window.history.state, '', `/thread/${thread}`);
    return false;
  },
  story_leave: () => {
    startAnew();
    return false;
  },
  story_help: ({ commands }) => {
    store.help = commands;
    return false;
  },
  story_refused: ({ words }) => {
    const field = input();
    if (words && field) setInput(field.value.trim() ? `${words}\n${field.value}` : words);
    return false;
  },
});

const NoModel = () => (
  <div className="welcome">
    <h1>No model yet</h1>
    <p>
      Inkling found nothing to write with in <code>checkpoints/</code>, <code>runs/</code> or{' '}
      <code>INKLING_MODELS</code>.
    </p>
    <p>
      Train a small one on the story in <code>data/</code>, in a few minutes:
    </p>
    <pre>python -m train.pretrain --preset story</pre>
    <p>Then open a new chat: it will be there.</p>
  </div>
);

const Welcome = ({ starters, send, busy, status }) => (
  <div className="welcome">
    <h1>A blank page</h1>
    <p>Write the first words below, or take a beginning:</p>
    <ul className="starters">
      {starters.map((starter) => (
        <li key={starter}>
          <button type="button" className="starter" disabled={busy} onClick={() => send(starter)}>
            {starter}
          </button>
        </li>
      ))}
    </ul>
    {busy ? (
      <span className="status" role="status">
        {status || 'reading'}…
      </span>
    ) : (
      <button
        type="button"
        id="story-begin"
        className="quiet"
        onClick={() => send('Begin', { ask: 'continue' })}
        title="An empty page: the model writes the first word too"
      >
        Let the model begin
      </button>
    )}
  </div>
);

// A new story goes on with the settings and the model of the page it was begun from.
const carried = (options, settings) => (event) => {
  if (event.target.closest('#new-chat-button')) window.__inklingCarried = { type: 'story_like', settings, ...options };
};

function StoryView() {
  const box = useRef(null);
  const { session } = useChatSession();
  const { sendMessage, windowMessage } = useChatInteract();
  const { loading } = useChatData();
  const modes = useRecoilValue(modesState);
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const socket = session && session.socket;
  const { state } = store;
  const busy = loading || Boolean(state && state.writing);
  const picks = Object.fromEntries(
    modes.map(({ id, options }) => [id, (options.find((each) => each.default) || options[0] || {}).id]),
  );
  const model = picks.model || (state && state.model);

  const send = (output, wish) => {
    store.follow = true;
    store.selected = null;
    sendMessage({
      threadId: '',
      id: window.inkling.uuid(),
      name: 'User',
      type: 'user_message',
      output,
      modes: picks,
      createdAt: new Date().toISOString(),
      metadata: wish || {},
    });
  };
  store.send = send;
  store.model = model;
  store.act = (wish) => socket.emit('story_act', wish);
  // Ask for something beside the story: a promise of the answer, or of an Error whose message a writer can read.
  store.look = (wish) =>
    new Promise((resolve, reject) => {
      socket.timeout(PATIENCE_MS).emit('story_look', wish, (late, answer) => {
        if (late) reject(new Error('The server did not answer. Is it still running?'));
        else if (answer.error) reject(new Error(answer.error));
        else resolve(answer);
      });
    });

  const scroller = () => box.current && box.current.closest('.overflow-y-auto');
  // In the next frame, however much comes before it: new tokens are drawn, and the end of the text is followed, for which
  // the page lays all of it out.
  const paintSoon = () => {
    if (store.frame) return;
    store.frame = requestAnimationFrame(() => {
      store.frame = null;
      if (!box.current || !store.state) return;
      draw(box.current, store.state, false);
      const frame = scroller();
      if (frame && store.follow && store.state.passages.length) frame.scrollTop = frame.scrollHeight;
    });
  };
  const paint = () => {
    if (box.current && store.state) draw(box.current, store.state, true);
    paintSoon();
  };

  useEffect(() => {
    if (!socket) return undefined;
    const ask = () => {
      const passages = store.state ? store.state.passages : [];
      const last = passages[passages.length - 1];
      windowMessage({
        type: 'story_sync',
        revision: store.state ? store.state.revision : -1,
        have: last ? last.tokens.length : 0,
      });
      return false;
    };
    const handlers = Object.entries(received(store, ask)).map(([event, handle]) => [
      event,
      (data) => {
        if (handle(data)) paint();
        else paintSoon();
        store.tell();
      },
    ]);
    if (!store.state && window.__inklingCarried) windowMessage(window.__inklingCarried);
    delete window.__inklingCarried;
    const late = () => setTimeout(ask, SYNC_DELAY_MS);
    handlers.forEach(([event, handle]) => socket.on(event, handle));
    socket.on('connect', late);
    const timer = late();
    paintSoon();
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(store.frame);
      store.frame = null;
      handlers.forEach(([event, handle]) => socket.off(event, handle));
      socket.off('connect', late);
    };
  }, [socket, store]);

  useEffect(() => {
    const onClick = carried({ ...picks, model: model || '' }, state ? state.tuning.chosen : {});
    document.addEventListener('click', onClick, true);
    return () => document.removeEventListener('click', onClick, true);
  }, [model, picks.preset, state]);

  // The dials and the dice show what is picked, not what was when the last message went.
  const knownPreset = state && state.tuning && state.tuning.preset;
  useEffect(() => {
    if (knownPreset && picks.preset && picks.preset !== knownPreset) store.act({ act: 'preset', name: picks.preset });
  }, [picks.preset]);

  useEffect(paint, [store]);
  // The tail, the end mark and the facts change the height after the text was drawn.
  useEffect(paintSoon, [state && state.revision]);
  useEffect(() => {
    const frame = scroller();
    if (!frame) return undefined;
    const onScroll = () => {
      store.follow = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - NEAR_END_PX;
    };
    frame.addEventListener('scroll', onScroll, { passive: true });
    return () => frame.removeEventListener('scroll', onScroll);
  }, [store, state === null]);

  const pick = (event) => {
    if (store.shaded && event.target.dataset.odds) return; // its dice are shown instead
    const passage = event.target.closest('.passage');
    if (passage && passage.dataset.id === store.editing) return;
    const token = event.target.dataset.i === undefined ? null : Number(event.target.dataset.i);
    const again = passage && store.selected === passage.dataset.id && store.token === token;
    Object.assign(store, { selected: again ? null : passage && passage.dataset.id, token, editing: null });
    store.tell();
  };

  const blank = !state || state.passages.length + state.takes.length === 0;
  const known = state && state.models.find((each) => each.key === model);
  return (
    <div className="story" data-busy={busy} data-blank={blank}>
      {state && blank && state.models.length === 0 && <NoModel />}
      {state && blank && state.models.length > 0 && (
        <Welcome starters={known ? known.starters : []} send={send} busy={busy} status={state.status} />
      )}
      <div
        className="story-text"
        id="story-text"
        ref={box}
        onClick={pick}
        role="article"
        aria-label="The story"
        aria-busy={busy}
      />
    </div>
  );
}

export default window.inkling.lasting('StoryView', StoryView);
