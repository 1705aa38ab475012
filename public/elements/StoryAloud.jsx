// @ts-check
// The story is read aloud: a small bar while it is, to pause and to stop, with the voice and its pace.

import { sessionIdState } from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { aloud, beginAt, chooseRate, chooseVoice, end, RATES, barNow, watch } = window.inkling.aloud;

/** @param {SpeechSynthesisVoice} voice */
const called = ({ name, lang, localService }) => `${name} (${lang})${localService ? '' : ', over the network'}`;

function StoryAloud() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const bar = /** @type {{current: any}} */ (useRef(null));
  const { isOn, isPaused } = aloud;
  useEffect(() => {
    store.readFrom = (passage) => beginAt(store, passage);
    return watch(store);
  }, [store, store.state === null]);

  const now = store.state && barNow();
  if (!now) return null;
  const { all, picked, rate, said } = now;
  const stop = () => {
    const held = bar.current?.contains(document.activeElement);
    end();
    if (held) document.getElementById('story-aloud')?.focus({ preventScroll: true });
  };
  return (
    <section className="aloud" id="aloud" aria-label="Reading aloud" ref={bar}>
      {isOn && (
        <button
          type="button"
          className="quiet"
          id="aloud-pause"
          title={
            isPaused ? 'From the beginning of the sentence' : 'The sentence is read from its beginning when you go on'
          }
          onClick={() => (isPaused ? aloud.goOn() : aloud.pause())}
        >
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      )}
      <button type="button" className="quiet" id="aloud-stop" onClick={stop}>
        {isOn ? 'Stop' : 'Close'}
      </button>
      {all.length > 0 && (
        <select
          id="aloud-voice"
          aria-label="The voice"
          title="Kept for stories in this language"
          value={picked?.voiceURI ?? ''}
          onChange={(event) => chooseVoice(event.target.value)}
        >
          {!picked && <option value="">Pick a voice</option>}
          {all.map((voice) => (
            <option key={voice.voiceURI} value={voice.voiceURI}>
              {called(voice)}
            </option>
          ))}
        </select>
      )}
      {all.length > 0 && (
        <select
          id="aloud-rate"
          aria-label="How fast"
          value={rate}
          onChange={(event) => chooseRate(Number(event.target.value))}
        >
          {RATES.map((each) => (
            <option key={each} value={each}>
              {each} ×
            </option>
          ))}
        </select>
      )}
      <p id="aloud-said" role="status">
        {said}
      </p>
    </section>
  );
}

export default window.inkling.lasting('StoryAloud', StoryAloud);
