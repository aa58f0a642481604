/** Protects what a terminal of 80 columns shows: text folds at words, below its own beginning, and nothing of it is lost. */

import { expect, test } from "vitest"
import { folded, terminalReporter } from "../../src/node/index.ts"

test.each([
  ["short", "short"],
  ["  descriptions: 71 of 72 answers, 1 recorded", "  descriptions: 71 of\n    72 answers, 1\n    recorded"],
  [
    "error clips: nothing\n  fix:      give a folder of clips",
    "error clips: nothing\n  fix:      give a\n            folder of\n            clips",
  ],
  ["in /a/path/that/is/longer/than/a/line", "in\n  /a/path/that/is/longer/than/a/line"],
  ["\u001b[33mwarning\u001b[39m twelve more", "\u001b[33mwarning\u001b[39m twelve more"],
])("%j folds at 21 columns", (text, lines) => {
  expect(folded(text, 21)).toBe(lines)
})

test("a lasting line takes the place of a task's line in a terminal, and stays one line in a file", () => {
  const written = (isTTY: boolean) => {
    let text = ""
    const write = (more: string) => {
      text += more
    }
    terminalReporter({ write, isTTY, columns: 12 }).say("one two three four")
    return text
  }
  expect(written(true)).toBe("\r\u001b[2Kone two\n  three four\n")
  expect(written(false)).toBe("one two three four\n")
})
