/** What `ask` gives, or in words why it gave nothing: it threw, or its time was up. */
export async function answerWithin<T extends object>(
  timeoutMs: number,
  ask: () => Promise<T>,
): Promise<T | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`nothing within ${timeoutMs} ms`), timeoutMs);
  });
  const asked = ask().catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
