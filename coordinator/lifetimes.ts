/** What was opened, closed in reverse order, each awaited; one that fails does not keep the others open. */
export type Lifetimes = AsyncDisposable & {
  use<T extends AsyncDisposable | Disposable>(opened: T): T;
};

/** AsyncDisposableStack, which Node 20 does not have. */
export function createLifetimes(): Lifetimes {
  const opened: (AsyncDisposable | Disposable)[] = [];
  return {
    use: (one) => {
      opened.push(one);
      return one;
    },
    [Symbol.asyncDispose]: async () => {
      const failures: unknown[] = [];
      for (let one = opened.pop(); one !== undefined; one = opened.pop()) {
        try {
          if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]();
          else one[Symbol.dispose]();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, "not everything could be closed");
    },
  };
}
