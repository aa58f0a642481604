/** Protects what the page reads beside videos: tables as `fourtier` and people write them, and answers in either form. */

import { expect, it } from "vitest"
import { answerRows, clipRows } from "../src/ui/tables.ts"

it("reads a table of clips: quotes, separators, comments, stretches", () => {
  const text =
    '# Clips\npath,label,start,end\r\n"a, b/x.mp4","so-called ""jump""",,\r\n./c.mp4,,0.5,2\r\n\r\nd\\e.mp4,wave\r\n'
  expect(clipRows(text)).toEqual([
    { path: "a, b/x.mp4", label: 'so-called "jump"', start: null, end: null },
    { path: "c.mp4", label: null, start: 0.5, end: 2 },
    { path: "d/e.mp4", label: "wave", start: null, end: null },
  ])
  expect(clipRows("\uFEFFvideo;class\na.mp4;jump")).toEqual([{ path: "a.mp4", label: "jump", start: null, end: null }])
  expect(clipRows("Path\tLabel\na.mp4\tjump\n")).toHaveLength(1)
  expect(clipRows("name,age\nAnna,7\n")).toBeNull()
  expect(clipRows("")).toBeNull()
})

it("reads answers, one a line or all about a clip, and leaves out what is none", () => {
  const lines = [
    '{"path":"jump/a.mp4","prompt":"A","answer":"jumping","model":"m"}',
    '{"path":"b.mp4","start":1,"end":2.5,"answers":{"A":"waving","B":7}}',
    "not JSON",
    '{"prompt":"A","answer":"about nothing"}',
  ]
  expect(answerRows(lines.join("\n"))).toEqual([
    { path: "jump/a.mp4", start: null, end: null, prompt: "A", text: "jumping" },
    { path: "b.mp4", start: 1, end: 2.5, prompt: "A", text: "waving" },
  ])
})
