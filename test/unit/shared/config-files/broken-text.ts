import * as fc from "fast-check";
import { fixture } from "./fixture.ts";

/**
 * Text as a person, an editor or a script leaves it behind: some lines of real files, with a few accidents. Reaches
 * places that random bytes don't, and is still close enough to a file that most of it is understood.
 */
export function brokenText(samples: readonly string[]): fc.Arbitrary<string> {
  const sources = samples.map((name) => fixture(name).split(/(?<=\n)/));
  const window = fc
    .tuple(fc.constantFrom(...sources), fc.nat(100_000), fc.nat(24))
    .map(([lines, from, count]) => {
      const start = from % Math.max(1, lines.length);
      return lines.slice(start, start + count).join("");
    });
  const start = fc.oneof({ weight: 4, arbitrary: window }, fc.tuple(window, window).map(join));
  return fc
    .tuple(start, fc.array(accident, { maxLength: 6 }))
    .map(([text, accidents]) => accidents.reduce((state, happen) => happen(state), text));
}

type Accident = (text: string) => string;

/** Bytes, one character each: GBK and UTF-8 for 中文, no UTF-8 at all, a byte order mark. */
const bytes = [
  "\u00d6\u00d0\u00ce\u00c4",
  "\u00e4\u00b8\u00ad",
  "\u00ff\u00fe",
  "\u00ef\u00bb\u00bf",
];
const tokens = [
  ...bytes,
  ..."\0 \t \r \n \\ # ' \" = , ( ) @ + / : . $ ` - %".split(" "),
  ..." ,\r\n,\r\r\n,\\\n,'',##,= ',(a b),a=b,%%".split(","),
  "password=hunter2",
  "include 'x.conf'\n",
  "port = 1\n",
  "host all all all md5\n",
  "KB_ALL_IP=(a b)\n",
  "backend_hostname1 = 'b'\n",
  "*/1 * * * * kingbase  /db/bin/network_rewind.sh\n",
  "SYSTEM:md53afebd0fba6df9fc2cf82c0b09926bcc\n",
  "down\n",
];

const place = fc.nat(1_000_000);
const accident: fc.Arbitrary<Accident> = fc.oneof(
  fc.tuple(place, fc.constantFrom(...tokens)).map(([at, token]): Accident => insert(at, token)),
  fc.tuple(place, fc.nat(12)).map(([at, count]): Accident => cut(at, count)),
  place.map(
    (at): Accident =>
      (text) =>
        text.slice(0, at % (text.length + 1)),
  ),
  place.map((at): Accident => onLine(at, (line) => line + line)),
  place.map((at): Accident => onLine(at, (line) => line.replace("\n", ""))),
  place.map((at): Accident => onLine(at, (line) => `#${line}`)),
  place.map((at): Accident => onLine(at, (line) => line.replace(/^[ \t#]+/, ""))),
  place.map((at): Accident => onLine(at, (line) => line.replace("\n", "\r\n"))),
  fc.constant<Accident>((text) => text.replaceAll("\n", "\r\n")),
  fc.tuple(place, place).map(([from, to]): Accident => moveLine(from, to)),
);

function join([a, b]: readonly [string, string]): string {
  return a + b;
}

function insert(at: number, token: string): Accident {
  return (text) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + token + text.slice(index);
  };
}

function cut(at: number, count: number): Accident {
  return (text) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + text.slice(index + count);
  };
}

function onLine(at: number, change: (line: string) => string): Accident {
  return (text) => {
    const lines = text.split(/(?<=\n)/);
    const index = at % lines.length;
    return lines.map((line, i) => (i === index ? change(line) : line)).join("");
  };
}

function moveLine(from: number, to: number): Accident {
  return (text) => {
    const lines = text.split(/(?<=\n)/);
    const [line = ""] = lines.splice(from % lines.length, 1);
    lines.splice(to % (lines.length + 1), 0, line);
    return lines.join("");
  };
}
