/**
 * People as what is described: a clip for each person of a key frame, whose strip shows that person alone.
 *
 * ```
 * track ─ its boxes within the clip's window ─ the smallest region that holds them all ─ margin ─ strip of that region
 * ```
 * The region stays where it is over the frames of a strip, so that it shows where somebody goes.
 */

import type { Corners } from "@fourtier/core/frames"
import { hashJson } from "@fourtier/tensor/node"
import type { Clip } from "../video/manifest.ts"
import { type FramedClip, namedAs } from "./clips.ts"
import type { AnnotatedPerson, DetectionData } from "./data.ts"

/** By how much of its sides a region is larger than the boxes in it, on each side. */
const MARGIN = 0.15

/** A person of a key frame as a clip of its own: named `video@second#track`, with its own hash. */
export interface PersonClip {
  framed: FramedClip
  person: AnnotatedPerson
  clip: Clip
  /** What the strip shows, as shares of the picture. */
  region: Corners
}

/**
 * The people of clips, each as a clip of its own; people without a track are numbered.
 * @param window seconds of each clip
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { clipKeyFrames, peopleClips, readAnnotations } from "fourtier/detection"
 *
 * const data = await readAnnotations("runs/company", { every: 1 })
 * const [train] = await clipKeyFrames(data, 2, silent)
 * peopleClips(train.clips, data, 2)[0].clip.id // "train-0000@1#0"
 * ```
 */
export function peopleClips(
  framed: readonly FramedClip[],
  { tracks }: Pick<DetectionData, "tracks">,
  window: number,
): PersonClip[] {
  return framed.flatMap((one) => {
    const { clip, keyFrame } = one
    return keyFrame.people.map((person, i) => {
      const { track, box } = person
      const path = track === null ? [] : (tracks.get(keyFrame.videoId)?.get(track) ?? [])
      const near = path.filter(({ timestamp }) => Math.abs(timestamp - keyFrame.timestamp) <= window / 2 + 1e-6)
      const region = regionOf([box, ...near.map((point) => point.box)])
      return {
        framed: one,
        person,
        clip: { ...clip, ...namedAs(`${clip.id}#${track ?? `-${i + 1}`}`), hash: hashJson([clip.hash, region]) },
        region,
      }
    })
  })
}

/** The smallest region that holds all boxes, with a margin, within the picture. */
function regionOf(boxes: readonly Corners[]): Corners {
  const [x1, y1] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])))
  const [x2, y2] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])))
  const [dx, dy] = [MARGIN * (x2 - x1), MARGIN * (y2 - y1)]
  // to a thousandth, as annotations are given: the region names the strip
  const held = (share: number) => Math.round(1000 * Math.min(1, Math.max(0, share))) / 1000
  return [held(x1 - dx), held(y1 - dy), held(x2 + dx), held(y2 + dy)]
}
