/** Takes in what was dropped or chosen: videos by their folders' names, or as a table beside them says, and answers about them. */

import { text } from "../strings.ts"
import { type Found, videosOf } from "./drop.ts"
import type { Model } from "./model.ts"
import { type AnswerRow, answerRows, clipRows, type TableRow } from "./tables.ts"

type Progress = (state: { done: number; all: number } | null) => void

/** Milliseconds that a server may take to look at new clips before answers about them are written. */
const PATIENCE = 60_000

const keyOf = (path: string, start: number | null, end: number | null) => JSON.stringify([path, start, end])

export async function takeIn(model: Model, found: readonly Found[], progress: Progress): Promise<void> {
  // browsers list folders in any order
  const sorted = [...found].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const { videos, others } = videosOf(sorted)
  const rows = new Map<string, TableRow[]>()
  const answers: AnswerRow[] = []
  let read = 0
  for (const { file, path } of others) {
    const folder = path.slice(0, path.length - file.name.length)
    if (/\.(csv|tsv)$/i.test(file.name)) {
      const own = clipRows(await file.text())
      if (own) read++
      for (const row of own ?? []) rows.set(folder + row.path, [...(rows.get(folder + row.path) ?? []), row])
    } else if (/\.(jsonl|ndjson)$/i.test(file.name)) {
      const own = answerRows(await file.text())
      if (own.length > 0) read++
      answers.push(...own.map((row) => ({ ...row, path: folder + row.path })))
    }
  }
  const ids = new Map<string, string>()
  for (const [i, { file, path, label }] of videos.entries()) {
    progress({ done: i, all: videos.length })
    await model.attempt(async () => {
      const own = rows.get(path.normalize("NFC"))
      const whole = own?.find(({ start, end }) => start === null && end === null)
      const clip = await model.home.add(file.name, own ? (whole?.label ?? null) : label, file)
      ids.set(keyOf(path, null, null), clip.id)
      const cuts = (own ?? []).flatMap(({ start, end, label: name }) =>
        end === null ? [] : [{ start: start ?? 0, end, label: name }],
      )
      if (cuts.length === 0) return
      for (const made of await model.home.cut(clip.id, cuts)) ids.set(keyOf(path, made.start, made.end), made.id)
    })
  }
  progress(null)
  if (others.length > read) model.say(text.notVideos(others.length - read))
  if (answers.length > 0) await model.attempt(() => writeAnswers(model, answers, ids))
}

/** Answers of a file, by clip; those about clips that are not there are counted. */
async function writeAnswers(model: Model, rows: readonly AnswerRow[], ids: ReadonlyMap<string, string>): Promise<void> {
  const { describe } = model.home
  if (!describe) throw new Error(text.answersNowhere)
  const about = new Map<string, AnswerRow[]>()
  let unknown = 0
  for (const row of rows) {
    const id = ids.get(keyOf(row.path, row.start, row.end)) ?? named(model, row)
    if (id === undefined) unknown++
    else about.set(id, [...(about.get(id) ?? []), row])
  }
  for (const [id, own] of about) {
    await measured(model, id)
    const kept = await describe.answers(id)
    const fresh = own.map(({ prompt, text: said }) => ({ prompt, text: said, byHand: true, flags: [] }))
    await describe.setAnswers(id, [...kept.filter(({ prompt }) => !own.some((row) => row.prompt === prompt)), ...fresh])
  }
  model.say(text.answersTaken(rows.length - unknown, unknown))
}

/** The one clip of that name and stretch. */
function named(model: Model, { path, start, end }: AnswerRow): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1)
  const own = model.present.filter((clip) => clip.start === start && clip.end === end)
  const same = own.filter((clip) => clip.name === path)
  const alike = own.filter((clip) => clip.name.slice(clip.name.lastIndexOf("/") + 1) === name)
  return same[0]?.id ?? (alike.length === 1 ? alike[0].id : undefined)
}

async function measured(model: Model, id: string): Promise<void> {
  for (const until = performance.now() + PATIENCE; performance.now() < until; ) {
    const clip = model.clip(id)
    if (clip && (clip.seconds !== null || clip.problem !== null)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
