// What can be opened beside the story. Each panel is an element of its own and enters itself in the store.
import { useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';
import { sessionIdState } from '@chainlit/react-client';

export default function StoryTools() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const { state, panels, panel } = store;

  useEffect(() => {
    const press = (event) => {
      if (event.key !== 'Escape' || !store.panel || document.querySelector('.story[data-busy=true]')) return;
      event.stopPropagation();
      store.open(store.panel);
    };
    document.addEventListener('keydown', press, true);
    return () => document.removeEventListener('keydown', press, true);
  }, [store]);
  useEffect(() => {
    document.body.classList.toggle('with-panel', Boolean(panel));
  }, [panel]);

  if (!state || state.models.length === 0 || panels.size === 0) return null;
  const { once } = state.tuning;
  const entries = [...panels].sort(([, one], [, other]) => one.place - other.place);
  return (
    <nav className="story tools" aria-label="Tools">
      {once.length > 0 && (
        <span className="armed" id="armed" title="Only the next message is written with these">
          Next message: {once.map(({ label, value }) => `${label} ${value}`).join(', ')}
          <button type="button" className="quiet" id="disarm" aria-label="Take these settings back" title="Take these settings back"
            onClick={() => store.act({ act: 'once', settings: {} })}>✕</button>
        </span>
      )}
      {entries.map(([name, { label, title }]) => (
        <button key={name} type="button" id={`open-${name}`} className="quiet" title={title}
          aria-pressed={panel === name} onClick={() => store.open(name)}>{label}</button>
      ))}
      <button type="button" id="story-tokens" className="quiet" aria-pressed={Boolean(store.shaded)}
        title="Shade each of the model’s tokens by how likely it was; point at one to see what else might have come, and branch there"
        onClick={() => { store.shaded = !store.shaded; store.tell(); }}>Tokens</button>
      <button type="button" id="story-ladder" className="quiet" disabled={state.writing || state.ended}
        title="The model writes on five times, side by side, from careful (temperature 0.2) to wild (1.3), with the same dice; pick one"
        onClick={() => store.send('Ladder', { ask: 'ladder' })}>Ladder</button>
    </nav>
  );
}
