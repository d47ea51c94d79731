import type { Readable } from "node:stream";

/** The first line of a stream, without its end; reads no more than `most` characters. */
export async function readOneLine(input: Readable, most = 4_096): Promise<string> {
  let text = "";
  input.setEncoding("utf8");
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes("\n") || text.length > most) break;
  }
  return text.split(/\r?\n/)[0] ?? "";
}
