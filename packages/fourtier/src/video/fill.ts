/**
 * Decodes chosen frames into slots of memory, from the nearest key frame where there is one. A key flag is only a claim: what does
 * not come out exactly from there is tried again from the key frame before, then from the file's start.
 */

import type { VideoFile } from "./backend.ts"
import type { FileIndex } from "./fileindex.ts"
import type { FrameTable } from "./frametable.ts"
import type { DecodedFrame } from "./passage.ts"

/** What a slot holds: nothing, a frame beside the one asked for, that frame with errors, or that frame. */
export type SlotState = "empty" | "neighbour" | "damaged" | "exact"

/** Takes a decoded frame's pixels. */
export type WriteSlot = (frame: DecodedFrame, slot: number) => void

const RANKS: readonly SlotState[] = ["empty", "neighbour", "damaged", "exact"]

/** The states of all slots; a worse result never replaces a better one. */
class Slots {
  readonly state: SlotState[]
  readonly #write: WriteSlot

  constructor(count: number, write: WriteSlot) {
    this.state = Array.from({ length: count }, () => "empty")
    this.#write = write
  }

  put(slot: number, frame: DecodedFrame, found: SlotState): void {
    if (RANKS.indexOf(found) < RANKS.indexOf(this.state[slot])) return
    this.#write(frame, slot)
    this.state[slot] = found
  }

  /** Slots that do not hold their frame. */
  missing(): number[] {
    return [...this.state.keys()].filter((slot) => this.state[slot] !== "exact")
  }
}

/**
 * @param wanted numbers of the clip's frames, ascending
 * @param write called for a slot once, or again when a better frame for it is found
 */
export function fillSlots(
  file: VideoFile,
  table: FrameTable,
  wanted: readonly number[],
  write: WriteSlot,
): SlotState[] {
  const slots = new Slots(wanted.length, write)
  if (table.places !== null) fillByTime(file, table.places, wanted, slots)
  else {
    const numbers = wanted.map((index) => index + table.offset)
    if (table.index !== null && !file.deinterlace) fillByIndex(file, table.index, numbers, slots)
    if (slots.missing().length > 0) fillInOrder(file, numbers, slots)
  }
  return slots.state
}

/** A wanted frame on its way: where it lies, and from which packet it was last decoded. */
interface Target {
  slot: number
  pts: number
  place: number
  entry: number
}

function fillByTime(file: VideoFile, places: Int32Array, wanted: readonly number[], slots: Slots): void {
  const targets = wanted.map((index, slot): Target => {
    const place = places[index]
    const pts = file.packets[place].pts ?? 0
    return { slot, pts, place, entry: keyBefore(file, place, file.deinterlace ? pts - 1 : pts) }
  })
  decodeTargets(file, targets, slots, true)
  const open = () => targets.filter(({ slot }) => slots.state[slot] !== "exact")
  const earlier = open().filter(({ entry }) => entry > 0)
  for (const target of earlier) target.entry = keyBefore(file, target.entry - 1, target.pts)
  decodeTargets(file, earlier, slots, true)
  const left = open()
  if (left.length === 0) return
  file.allPackets()
  const placeOf = new Map(file.packets.map(({ pts, hidden }, place) => [hidden ? null : pts, place]))
  const fromStart = left.flatMap((target) => {
    const place = placeOf.get(target.pts)
    return place === undefined ? [] : [{ ...target, place, entry: 0 }]
  })
  decodeTargets(file, fromStart, slots, false)
}

/** The last key packet up to a place whose frame is shown no later than `pts`; 0 where there is none. */
function keyBefore(file: VideoFile, from: number, pts: number): number {
  let place = from
  while (place > 0 && !(file.packets[place].key && (file.packets[place].pts ?? Infinity) <= pts)) place--
  return place
}

/**
 * Decodes each run of packets from an entry to the last frame wanted from there.
 *
 * @param skips whether frames may be left out on which nothing depends; otherwise a missing frame's place is taken by the one after
 *   it, however late that comes. How errors are concealed may depend on them, so a frame with
 *   errors then spoils those after it that may refer to it.
 */
function decodeTargets(file: VideoFile, targets: readonly Target[], slots: Slots, skips: boolean): void {
  const runs: { first: number; targets: Target[] }[] = []
  for (const target of targets) {
    const run = runs.at(-1)
    if (run?.first === target.entry) run.targets.push(target)
    else runs.push({ first: target.entry, targets: [target] })
  }
  for (const run of runs) {
    const ends = run.targets.map(({ place, pts }) =>
      file.deinterlace ? Math.max(place, placeAfter(file, pts)) : place,
    )
    const last = skips ? Math.max(...ends) : Number.POSITIVE_INFINITY
    const wanted = skips ? new Set(run.targets.map(({ place }) => place)) : null
    let next = 0
    let spoiled = false
    file.decode({ first: run.first, last, wanted }, (frame) => {
      spoiled = frame.damaged || (skips && spoiled && !frame.intra)
      if (frame.pts === null) return true
      while (next < run.targets.length && frame.pts >= run.targets[next].pts) {
        const { slot, pts } = run.targets[next++]
        slots.put(slot, frame, frame.pts !== pts ? "neighbour" : spoiled ? "damaged" : "exact")
      }
      return next < run.targets.length
    })
  }
}

/** The packet of the frame shown after a time, or the last one: the deinterlacer looks one frame ahead. */
function placeAfter(file: VideoFile, pts: number): number {
  let found = file.packets.length - 1
  let time = Infinity
  for (const [place, packet] of file.packets.entries()) {
    if (packet.pts !== null && packet.pts > pts && packet.pts < time) [found, time] = [place, packet.pts]
  }
  return found
}

/** Decodes from key frames of an indexed file, and takes what comes out only while it comes as it did for the index. */
function fillByIndex(file: VideoFile, index: FileIndex, numbers: readonly number[], slots: Slots): void {
  const numberOf = new Map<number, number>()
  for (const [number, pts] of index.pts.entries()) {
    if (!Number.isNaN(pts)) numberOf.set(pts, numberOf.has(pts) ? -1 : number)
  }
  for (let round = 0; round < 2; round++) {
    for (const run of indexRuns(file, index, numbers, slots, round)) {
      if (run.first === 0) continue
      let expected = -1
      const wanted = new Map(run.slots.map((slot) => [numbers[slot], slot]))
      const end = Math.max(...wanted.keys())
      file.decode({ first: run.first, last: Number.POSITIVE_INFINITY, wanted: null }, (frame) => {
        const number = frame.pts === null ? -1 : (numberOf.get(frame.pts) ?? -1)
        if (expected < 0 ? !isKnown(frame, number, run.number, index) : number !== expected) return false
        expected = number + 1
        const slot = wanted.get(number)
        if (slot !== undefined) slots.put(slot, frame, frame.damaged ? "damaged" : "exact")
        return number < end
      })
    }
  }
}

/** Whether a run's first frame is the one that came out here before, pixel by pixel, and none after the one hoped for. */
function isKnown(frame: DecodedFrame, number: number, latest: number, index: FileIndex): boolean {
  return number >= 0 && number <= latest && index.entries.get(number) === frame.signature()
}

/** From which key packets the slots still missing are to be decoded; a second round begins one key frame earlier. */
function indexRuns(file: VideoFile, index: FileIndex, numbers: readonly number[], slots: Slots, round: number) {
  const runs: { first: number; number: number; slots: number[] }[] = []
  for (const slot of slots.missing()) {
    let number = numbers[slot]
    while (number > 0 && !index.entries.has(number)) number--
    let first = index.fed[number]
    for (let back = 0; back <= round; back++)
      do first--
      while (first > 0 && !file.packets[first].key)
    const run = runs.at(-1)
    if (run?.first === first) run.slots.push(slot)
    else runs.push({ first, number, slots: [slot] })
  }
  return runs
}

/** Decodes from the file's start, counting. */
function fillInOrder(file: VideoFile, numbers: readonly number[], slots: Slots): void {
  let count = 0
  let next = 0
  const missing = slots.missing()
  file.decode({ first: 0, last: Number.POSITIVE_INFINITY, wanted: null }, (frame) => {
    if (count++ === numbers[missing[next]]) slots.put(missing[next++], frame, frame.damaged ? "damaged" : "exact")
    return next < missing.length
  })
}
