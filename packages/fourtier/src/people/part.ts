/**
 * Who is who after two have stood so close together that their boxes were one: those who embrace and part again look like those who pass
 * each other, to whoever sees boxes alone. Colours tell.
 */

import type { PersonBox } from "./boxes.ts"
import { differenceOfLooks } from "./look.ts"

/** A box of a track; with what the person looks like, where nobody else was near. */
export interface SeenBox extends PersonBox {
  /** Seconds. */
  time: number
}

/** Two tracks whose boxes overlap at a time. */
export interface Meeting {
  a: { boxes: SeenBox[] }
  b: { boxes: SeenBox[] }
  /** Seconds. */
  time: number
}

/** Seconds between two moments of one meeting, at most. */
const PAUSE = 0.5

/**
 * Moments before and after a meeting whose looks count: the nearest at which both are seen apart. Where one alone is seen, the other may
 * stand behind.
 */
const LOOKS = 10

/** By how much looks must fit better the other way round. */
const CLEAR = 0.05

/**
 * Exchanges what comes after a meeting between two tracks where they look the other way round then.
 * @param meetings in order of time
 */
export function partAgain(meetings: readonly Meeting[]): void {
  const open: (Meeting & { end: number })[] = []
  for (const meeting of meetings) {
    const last = open.findLast(({ a, b, end }) => a === meeting.a && b === meeting.b && meeting.time - end <= PAUSE)
    if (last) last.end = meeting.time
    else open.push({ ...meeting, end: meeting.time })
  }
  for (const { a, b, time, end } of open) {
    const apart = momentsApart(a.boxes, b.boxes)
    const before = meanLooks(apart.filter((moment) => moment.time <= time).slice(-LOOKS))
    const after = meanLooks(apart.filter((moment) => moment.time >= end).slice(0, LOOKS))
    if (before === null || after === null) continue
    const same = differenceOfLooks(before[0], after[0]) + differenceOfLooks(before[1], after[1])
    const crossed = differenceOfLooks(before[0], after[1]) + differenceOfLooks(before[1], after[0])
    if (crossed + CLEAR < same) exchange(a, b, (time + end) / 2)
  }
}

interface Apart {
  time: number
  looks: readonly [readonly number[], readonly number[]]
}

/** The moments at which two are seen, and nobody else is near either. */
function momentsApart(a: readonly SeenBox[], b: readonly SeenBox[]): Apart[] {
  const looks = new Map(b.map(({ time, look }) => [time, look]))
  return a.flatMap(({ time, look }): Apart[] => {
    const other = looks.get(time)
    return look === undefined || other === undefined ? [] : [{ time, looks: [look, other] }]
  })
}

/** The mean look of both; null where there is none. */
function meanLooks(moments: readonly Apart[]): number[][] | null {
  if (moments.length === 0) return null
  return [0, 1].map((one) =>
    moments[0].looks[one].map((_, i) => moments.reduce((sum, { looks }) => sum + looks[one][i], 0) / moments.length),
  )
}

function exchange(a: Meeting["a"], b: Meeting["b"], time: number): void {
  const [first, second] = [a.boxes, b.boxes]
  const until = (boxes: readonly SeenBox[]) => boxes.filter((box) => box.time <= time)
  const from = (boxes: readonly SeenBox[]) => boxes.filter((box) => box.time > time)
  a.boxes = [...until(first), ...from(second)]
  b.boxes = [...until(second), ...from(first)]
}
