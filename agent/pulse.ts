type Beat = { readonly works: Set<() => void>; readonly timer: NodeJS.Timeout };
const beats = new Map<number, Beat>();

/**
 * As setInterval, but all of one period are done in the same moment: to wake up costs an idle process more than what it
 * then has to do.
 */
export function pulse(everyMs: number, work: () => void): Disposable {
  const beat = beats.get(everyMs) ?? begin(everyMs);
  const own = (): void => work();
  beat.works.add(own);
  return {
    [Symbol.dispose]: () => {
      beat.works.delete(own);
      if (beat.works.size > 0 || beats.get(everyMs) !== beat) return;
      clearInterval(beat.timer);
      beats.delete(everyMs);
    },
  };
}

function begin(everyMs: number): Beat {
  const works: Beat["works"] = new Set();
  const timer = setInterval(() => {
    for (const work of works) work();
  }, everyMs);
  const beat = { works, timer };
  beats.set(everyMs, beat);
  return beat;
}
