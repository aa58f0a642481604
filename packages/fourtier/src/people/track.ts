/**
 * Boxes of single pictures to people over time: the association of ByteTrack (Zhang et al. 2022, https://arxiv.org/abs/2110.06864,
 * Algorithm 1).
 *
 * ```
 * boxes of a picture ─┬─ sure ones ─── with all tracks, seen or lost ────── pairs of least cost ─┐
 *                     └─ unsure ones ─ with tracks seen last and still open ─ pairs ─────────────┼─► tracks go on
 *                                        sure ones that are left ───────────── new tracks ───────┘
 * ```
 * Where a person is expected, a Kalman filter of constant velocity says: centre, height and aspect ratio of the box, each for itself.
 * Who is who after two have been close together, colours tell (`part.ts`).
 */

import { type Box, overlap } from "@fourtier/core/metrics"
import { assignPairs } from "./assign.ts"
import type { PersonBox } from "./boxes.ts"
import { type Meeting, partAgain, type SeenBox } from "./part.ts"

export interface TrackOptions {
  /** Boxes from this score on are matched first. Default 0.5. */
  sure?: number
  /** Boxes from this score on begin tracks. Default: 0.1 above `sure`. */
  begin?: number
  /** Boxes below this score are not looked at. Default 0.1. */
  least?: number
  /** Seconds for which a person who is not seen keeps the number. Default 1.5. */
  patience?: number
  /** Moments in which a person must be seen to count. Default 2. */
  confirmed?: number
}

/** The people of one moment. */
export interface PeopleAt {
  /** Seconds. */
  time: number
  people: readonly PersonBox[]
}

export interface TrackedBox extends PersonBox {
  /** Seconds. */
  time: number
}

export interface Track {
  /** From 1, in the order in which people appear. */
  id: number
  /** In order of time; where the person was not seen there is none. */
  boxes: TrackedBox[]
}

/** 1 − overlap that a pair may cost: of sure boxes, of unsure ones, of tracks seen once. */
const LIMITS = { sure: 0.8, unsure: 0.5, fresh: 0.7 }

/** Overlap from which two boxes may be mixed up, and from which somebody's colours are not only his own. */
const MET = { close: 0.3, near: 0.1 }

/** People of a moment among whom meetings are looked for. */
const CROWD = 50

/** By how much surer than `sure` a box must be to begin a track. */
const BEGIN = 0.1

interface OpenTrack {
  boxes: SeenBox[]
  motion: Motion
  /** Seen in the last picture. */
  seen: boolean
}

/**
 * Links boxes over time.
 * @param moments in order of time, as evenly spaced as the pictures that were looked at
 * @returns those who are seen in `confirmed` moments or more (or in the only one), numbered in the order in which they appear
 *
 * @example
 * ```ts
 * import { linkTracks } from "fourtier/people"
 *
 * const moments = [0, 0.1, 0.2].map((time) => ({
 *   time,
 *   people: [{ box: [0.1 + time, 0.2, 0.3 + time, 0.9] as const, score: 0.8 }],
 * }))
 * linkTracks(moments).length // 1
 * ```
 */
export function linkTracks(moments: readonly PeopleAt[], options: TrackOptions = {}): Track[] {
  const { sure = 0.5, begin = Math.min(1, sure + BEGIN), least = 0.1, patience = 1.5, confirmed = 2 } = options
  let open: OpenTrack[] = []
  const all: OpenTrack[] = []
  const meetings: Meeting[] = []
  for (const { time, people } of moments) {
    const usable = people.filter(({ box, score }) => score >= least && box.every(Number.isFinite))
    const high = usable.filter(({ score }) => score >= sure)
    const low = usable.filter(({ score }) => score < sure)
    open = open.filter(({ boxes }) => time - (boxes.at(-1)?.time ?? time) <= patience)
    for (const { motion } of open) motion.predict()
    const settled = open.filter(({ boxes }) => boxes.length >= confirmed)
    const fresh = open.filter(({ boxes }) => boxes.length < confirmed)
    const seenBefore = new Set(open.filter(({ seen }) => seen))
    for (const track of open) track.seen = false

    const first = match(settled, high, LIMITS.sure)
    const rest = settled.filter((track) => !first.taken.has(track) && seenBefore.has(track))
    const second = match(rest, low, LIMITS.unsure)
    const third = match(fresh, first.left, LIMITS.fresh)
    for (const [track, person] of [...first.taken, ...second.taken, ...third.taken]) {
      track.boxes.push(seenBox(time, person, usable))
      track.motion.correct(person.box)
      track.seen = true
    }
    // one who was seen once and then not is taken for a mistake of the detector
    open = open.filter((track) => track.seen || !fresh.includes(track))
    for (const person of third.left) {
      if (person.score < begin) continue
      const track = { boxes: [seenBox(time, person, usable)], motion: new Motion(person.box), seen: true }
      all.push(track)
      open.push(track)
    }
    if (usable.length <= CROWD) meetings.push(...meetingsOf(open, time))
  }
  partAgain(meetings)
  const counted = all.filter(({ boxes }) => boxes.length >= confirmed || moments.length === 1)
  return counted.map(({ boxes }, i) => ({
    id: i + 1,
    boxes: boxes.map(({ time, box, score }) => ({ time, box, score })),
  }))
}

/** A box of a track, with the person's look where nobody else is near. */
function seenBox(time: number, person: PersonBox, all: readonly PersonBox[]): SeenBox {
  const { box, score, look } = person
  const isAlone = look !== undefined && all.every((one) => one === person || overlap(one.box, box) < MET.near)
  return { time, box, score, ...(isAlone ? { look } : {}) }
}

/** The pairs of tracks that are close together at a time. */
function meetingsOf(open: readonly OpenTrack[], time: number): Meeting[] {
  const present = open.filter(({ boxes }) => boxes.at(-1)?.time === time)
  return present.flatMap((a, i) =>
    present.slice(i + 1).flatMap((b) => {
      const [one, other] = [a.boxes[a.boxes.length - 1], b.boxes[b.boxes.length - 1]]
      return overlap(one.box, other.box) >= MET.close ? [{ a, b, time }] : []
    }),
  )
}

function match(
  tracks: readonly OpenTrack[],
  people: readonly PersonBox[],
  limit: number,
): { taken: Map<OpenTrack, PersonBox>; left: PersonBox[] } {
  const expected = tracks.map(({ motion }) => motion.box())
  const cost = (t: number, p: number) => 1 - overlap(expected[t], people[p].box)
  const pairs = assignPairs(tracks.length, people.length, cost, limit)
  const columns = new Set(pairs.map(([, column]) => column))
  return {
    taken: new Map(pairs.map(([row, column]) => [tracks[row], people[column]])),
    left: people.filter((_, column) => !columns.has(column)),
  }
}

/**
 * Centre, aspect ratio and height of a box with their velocities. As all noises are independent, the filter of eight states falls into
 * four of two. Standard deviations are shares of the height, as in DeepSORT (https://arxiv.org/abs/1703.07402).
 */
class Motion {
  readonly #states: Filter[]

  constructor(box: Box) {
    const measured = measureOf(box)
    const height = measured[3]
    this.#states = measured.map((value, i) => new Filter(value, deviations(i, height)))
  }

  predict(): void {
    const height = this.#states[3].value
    for (const [i, state] of this.#states.entries()) state.predict(deviations(i, height))
  }

  correct(box: Box): void {
    const height = this.#states[3].value
    for (const [i, value] of measureOf(box).entries()) this.#states[i].correct(value, deviations(i, height).measured)
  }

  box(): Box {
    const [x, y, aspect, height] = this.#states.map(({ value }) => value)
    const [halfWidth, halfHeight] = [(Math.max(0, aspect) * Math.max(0, height)) / 2, Math.max(0, height) / 2]
    return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight]
  }
}

const measureOf = ([x1, y1, x2, y2]: Box): number[] => [(x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / (y2 - y1), y2 - y1]

interface Deviations {
  place: number
  velocity: number
  measured: number
}

function deviations(i: number, height: number): Deviations {
  if (i === 2) return { place: 0.01, velocity: 1e-5, measured: 0.1 }
  return { place: height / 20, velocity: height / 160, measured: height / 20 }
}

/** A value and its velocity, with their covariance. */
class Filter {
  value: number
  #velocity = 0
  /** Variances of value and velocity, and their covariance. */
  #variance: number
  #drift: number
  #mixed = 0

  constructor(value: number, { place, velocity }: Deviations) {
    this.value = value
    this.#variance = (2 * place) ** 2
    this.#drift = (10 * velocity) ** 2
  }

  predict({ place, velocity }: Deviations): void {
    this.value += this.#velocity
    this.#variance += 2 * this.#mixed + this.#drift + place ** 2
    this.#mixed += this.#drift
    this.#drift += velocity ** 2
  }

  correct(measured: number, deviation: number): void {
    const total = this.#variance + deviation ** 2
    const [gain, gainOfVelocity] = [this.#variance / total, this.#mixed / total]
    const error = measured - this.value
    this.value += gain * error
    this.#velocity += gainOfVelocity * error
    this.#drift -= gainOfVelocity * this.#mixed
    this.#mixed -= gain * this.#mixed
    this.#variance -= gain * this.#variance
  }
}

/**
 * Where a tracked person is at a time: in between, boxes go straight from one to the next; outside the track, and in gaps longer than
 * `patience` seconds, null.
 *
 * @example
 * ```ts
 * import { boxAt, type Track } from "fourtier/people"
 *
 * const drawn = (track: Track) => boxAt(track, 12.5)
 * ```
 */
export function boxAt({ boxes }: Pick<Track, "boxes">, time: number, patience = 1.5): Box | null {
  const slack = 1e-6
  let [low, high] = [0, boxes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (boxes[middle].time < time - slack) low = middle + 1
    else high = middle
  }
  const after = boxes[low]
  if (after === undefined) return null
  if (Math.abs(after.time - time) <= slack) return after.box
  const before = boxes[low - 1]
  if (before === undefined || after.time - before.time > patience + slack) return null
  const share = (time - before.time) / (after.time - before.time)
  const [x1, y1, x2, y2] = before.box.map((side, i) => side + share * (after.box[i] - side))
  return [x1, y1, x2, y2]
}
