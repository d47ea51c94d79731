/** A controller of one's own that is aborted with another signal, for as long as it is wanted. */
export type Follower = Disposable & {
  readonly controller: AbortController;
};

/**
 * What `AbortSignal.any` composes stays noted in its sources for as long as these live (Node 20): with a source that
 * lives as long as the program, a little more for every step. This one leaves nothing when it is disposed of.
 */
export function followSignal(source: AbortSignal): Follower {
  const controller = new AbortController();
  const follow = (): void => controller.abort(source.reason);
  if (source.aborted) follow();
  else source.addEventListener("abort", follow, { once: true });
  return {
    controller,
    [Symbol.dispose]: () => source.removeEventListener("abort", follow),
  };
}
