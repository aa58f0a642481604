/** Whose classes are learned: all people of the training clips, or a few tracks of each class. */

import { boxOnView } from "@fourtier/core/frames"
import type { Step } from "@fourtier/core/schemas"
import type { Populated } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { FramedClip } from "./clips.ts"
import type { AnnotatedPerson } from "./data.ts"

/**
 * Clips with the people whose labels may be used; clips without any are left out.
 * @param steps from a clip's pictures to what the encoder sees
 * @param numberOf class number by the class's id
 * @param perClass tracks of each class whose labels are used, drawn by the seed; null: all
 *
 * @example
 * ```ts
 * import { type FramedClip, labelledClips } from "fourtier/detection"
 *
 * const steps = [{ step: "letterbox" as const, size: 192, fill: [0, 0, 0] as [number, number, number] }]
 * const oneOfEach = (clips: FramedClip[]) => labelledClips(clips, steps, new Map([[12, 0], [14, 1]]), 1, 0)
 * ```
 */
export function labelledClips(
  clips: readonly FramedClip[],
  steps: readonly Step[],
  numberOf: ReadonlyMap<number, number>,
  perClass: number | null,
  seed: number,
): Populated[] {
  const drawn = perClass === null ? null : drawTracks(clips, numberOf, perClass, seed)
  return clips.flatMap((framed) => {
    const { clip, keyFrame } = framed
    const people = keyFrame.people.flatMap((person, i) => {
      const labels = labelsOf(person, numberOf)
      const counts = labels.length > 0 && (drawn === null || drawn.has(trackOf(framed, person, i)))
      return counts ? [{ box: boxOnView(person.box, clip, steps), labels }] : []
    })
    return people.length > 0 ? [{ id: clip.id, hash: clip.hash, views: [0], people }] : []
  })
}

/** Tracks in an order by chance, each taken while one of its classes has too few. */
function drawTracks(
  clips: readonly FramedClip[],
  numberOf: ReadonlyMap<number, number>,
  perClass: number,
  seed: number,
): Set<string> {
  const labels = new Map<string, Set<number>>()
  for (const framed of clips) {
    for (const [i, person] of framed.keyFrame.people.entries()) {
      const track = trackOf(framed, person, i)
      labels.set(track, new Set([...(labels.get(track) ?? []), ...labelsOf(person, numberOf)]))
    }
  }
  const counts = new Map<number, number>()
  const drawn = new Set<string>()
  for (const [track, own] of Rng.fork(seed, "labelled").shuffle([...labels])) {
    if (![...own].some((label) => (counts.get(label) ?? 0) < perClass)) continue
    drawn.add(track)
    for (const label of own) counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  return drawn
}

/** Names who it is; somebody without a track is somebody else in every key frame. */
function trackOf({ clip, keyFrame }: FramedClip, { track }: AnnotatedPerson, i: number): string {
  return track === null ? `${clip.id} ${i}` : `${keyFrame.videoId}#${track}`
}

const labelsOf = ({ classIds }: AnnotatedPerson, numberOf: ReadonlyMap<number, number>) =>
  classIds.flatMap((id) => numberOf.get(id) ?? [])
