/** What was opened, closed in reverse order, each even if another fails (Node 20 has no AsyncDisposableStack). */
export class ClosingStack implements AsyncDisposable {
  readonly #closers: (() => Promise<void>)[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#closers.push(async () => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const problems: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      await close().catch((error: unknown) => problems.push(error));
    }
    if (problems.length > 0) throw new AggregateError(problems, "not everything could be closed");
  }
}
