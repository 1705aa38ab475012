// What the elements of the page share. Chainlit compiles each of public/elements alone, so they cannot import each
// other, and it remounts them at will: what was received lives here, in one store for each session.
(() => {
  const stores = new Map();

  const newStore = () => {
    const store = {
      state: null, // the story as the server sent it last, with the tokens that came since
      selected: null, // id of the passage that was clicked
      token: null, // and which of its parts
      editing: null,
      help: null,
      takes: 1,
      follow: true, // the tail of the text, while it grows
      frame: null, // the animation frame in which its new tokens are drawn
      panels: new Map(), // name → {label, title, place}: what StoryTools offers to open
      panel: null, // name of the one that is open
      shaded: false, // whether the tokens are shaded by how likely they were
      odds: null, // the token whose dice are looked at
      about: null, // what it was opened for, if anything
      listeners: new Set(),
      tell: () => store.listeners.forEach((hear) => hear()),
      // One panel at a time; the same again closes it.
      open: (name, about = null) => {
        const again = about === null && store.panel === name;
        Object.assign(store, { panel: again ? null : name, about });
        store.tell();
      },
      // send(words, wish), act(wish) and look(wish) come from StoryView, which has the socket.
    };
    return store;
  };

  const storeOf = (session) => {
    if (!stores.has(session)) stores.set(session, newStore());
    return stores.get(session);
  };

  // Chainlit evaluates an element anew whenever something about the page changes, and React would take another function
  // for another component: all of it would be thrown away and drawn anew. So the first one is always given back.
  const components = new Map();
  const lasting = (name, component) => {
    if (!components.has(name)) components.set(name, component);
    return components.get(name);
  };

  // The store of a session; the element is drawn anew when it tells. React comes from the element, for this file has none.
  const useStory = ({ useEffect, useReducer }, session) => {
    const [, redraw] = useReducer((n) => n + 1, 0);
    const store = storeOf(session);
    useEffect(() => {
      store.listeners.add(redraw);
      return () => store.listeners.delete(redraw);
    }, [store]);
    return store;
  };

  // A panel that StoryTools offers, from left to right by `place`; `entry` is {label, title, place}.
  const usePanel = ({ useEffect }, store, name, entry) => {
    useEffect(() => {
      if (store.panels.has(name)) return;
      store.panels.set(name, entry);
      store.tell();
    }, [store]);
    return store.panel === name;
  };

  const make = (tag, className, text, title) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined && text !== null) node.textContent = text;
    if (title) node.title = title;
    return node;
  };

  const button = (name, label, title, press, disabled) => {
    const node = make('button', `quiet act-${name}`, label, title);
    node.type = 'button';
    node.disabled = Boolean(disabled);
    node.onclick = (event) => {
      event.stopPropagation();
      press();
    };
    return node;
  };

  // How a probability is read: exact where it is small, never more digits than say something.
  const percent = (p) => {
    if (p === 0) return '0%';
    if (p < 0.0001) return '<0.01%';
    return `${(100 * p).toFixed(p < 0.01 ? 2 : p < 0.0995 ? 1 : 0)}%`;
  };

  // An entropy in nats in plain words.
  const choices = (nats) => {
    const many = Math.exp(nats);
    const about = many < 9.5 ? many.toFixed(1).replace(/\.0$/, '') : Math.round(many).toLocaleString('en-US');
    return `about ${about} equally likely ${about === '1' ? 'choice' : 'choices'} (${(nats / Math.LN2).toFixed(1)} bits)`;
  };

  const SIGNS = { ' ': '\u2423', '\n': '\u21b5', '\t': '\u21e5', '\r': '\u240d' };
  // A token as it can be seen: [kind, text] parts, a space, a line end or nothing at all as a "sign".
  const visible = (text) =>
    text === '' ? [['sign', 'part of a character']]
      : text.split(/([ \n\t\r])/).filter(Boolean).map((part) => (SIGNS[part] ? ['sign', SIGNS[part]] : ['text', part]));

  const input = () => document.getElementById('chat-input');
  const setInput = (text) => {
    const field = input();
    if (!field) return;
    // React hears of a value only if it is set behind its back.
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(field, text);
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.focus();
  };

  // Version 4, as Chainlit demands of a message; crypto.randomUUID is missing where the page comes over plain HTTP.
  const uuid = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return [...bytes].map((b, i) => ([4, 6, 8, 10].includes(i) ? '-' : '') + b.toString(16).padStart(2, '0')).join('');
  };

  const startAnew = () => document.getElementById('new-chat-button').click();

  // Parts that more than one element needs; each enters itself in window.inkling.
  ['curve', 'login'].forEach((name) => {
    const script = make('script');
    script.src = `/public/${name}.js`;
    document.head.append(script);
  });

  window.inkling = { lasting, useStory, usePanel, make, button, input, setInput, percent, choices, visible, uuid, startAnew };
})();
