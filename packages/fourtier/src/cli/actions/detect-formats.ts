/** People with their actions in the forms that other programs read. */

import { csvLine } from "@fourtier/core"
import { z } from "zod"

const cornersSchema = z.tuple([z.number(), z.number(), z.number(), z.number()])

/** What is known of a video: the content of its `.json`. */
export const videoDetectionsSchema = z.object({
  /** Seconds. */
  duration: z.number(),
  /** Names of the classes, in the order of `scores`. */
  labels: z.array(z.string()),
  /** The key times, also those without anybody. */
  moments: z.array(
    z.object({
      /** Seconds. */
      time: z.number(),
      people: z.array(
        z.object({
          track: z.number(),
          /** Corners in shares of the picture. */
          box: cornersSchema,
          /** Of every class by itself. */
          scores: z.array(z.number()),
        }),
      ),
    }),
  ),
  /** Where everybody is between the key times: seconds, corners, and how sure the detector was. */
  tracks: z.array(z.object({ id: z.number(), boxes: z.array(z.array(z.number()).length(6)) })),
})

export type VideoDetections = z.infer<typeof videoDetectionsSchema>

/** A video's detections with its name. */
export interface NamedDetections extends VideoDetections {
  path: string
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits))

/** One line a person and key time, with the labels from a score on. */
export function jsonLines({ path, labels, moments }: NamedDetections, threshold: number): string {
  const lines = moments.flatMap(({ time, people }) =>
    people.map(({ track, box, scores }) => {
      const shown = labels.map((label, c) => ({ label, score: scores[c] })).filter(({ score }) => score >= threshold)
      return { path, time, track, box, labels: shown.sort((a, b) => b.score - a.score) }
    }),
  )
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("")
}

/**
 * AVA's CSV: video, second, x1, y1, x2, y2, class, score; a line for each person, key time and class.
 * @param classIds of the labels
 */
export function avaRows({ path, moments }: NamedDetections, classIds: readonly number[]): string {
  const video = path.replace(/\.[^./]+$/, "")
  return moments
    .flatMap(({ time, people }) =>
      people.flatMap(({ box, scores }) =>
        classIds.map((id, c) => csvLine([video, time, ...box.map((side) => rounded(side, 4)), id, scores[c]])),
      ),
    )
    .join("")
}

/** AVA's list of classes, which says what the numbers in its CSV mean. */
export function avaLabelMap(labels: readonly string[], classIds: readonly number[]): string {
  return labels
    .map((label, c) => `label {\n  name: "${label.replaceAll(/["\\\n]/g, "'")}"\n  label_id: ${classIds[c]}\n}\n`)
    .join("")
}

/** What somebody did in a video, for a table. */
export interface TrackSummary {
  track: number
  /** Seconds. */
  from: number
  to: number
  /** Labels with their mean scores over the key times, the likeliest first. */
  labels: { label: string; score: number }[]
}

/** One summary a person who was judged at least once. */
export function summaries({ labels, moments, tracks }: VideoDetections): TrackSummary[] {
  return tracks.flatMap(({ id, boxes }) => {
    const own = moments.flatMap(({ people }) => people.filter(({ track }) => track === id))
    if (own.length === 0) return []
    const mean = labels.map((label, c) => ({
      label,
      score: own.reduce((sum, { scores }) => sum + scores[c], 0) / own.length,
    }))
    return [
      { track: id, from: boxes[0][0], to: boxes[boxes.length - 1][0], labels: mean.sort((a, b) => b.score - a.score) },
    ]
  })
}
