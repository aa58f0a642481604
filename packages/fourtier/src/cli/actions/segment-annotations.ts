/** Spans as tasks of annotation tools, for people to correct: `fourtier data label-studio` and `cvat` read what they make of it. */

import type { Clip } from "../../video/manifest.ts"
import type { VideoSpans } from "./segment-formats.ts"

/** A video as annotation tools count it: in frames. */
export type FramedVideo = VideoSpans & { clip: Pick<Clip, "fps" | "frames" | "width" | "height"> }

/** First frame of a span, from 0, and the first one after it. */
function framesOf(
  { start, end }: { start: number; end: number },
  { fps, frames }: FramedVideo["clip"],
): [number, number] {
  const first = Math.min(frames - 1, Math.round(start * fps))
  return [first, Math.min(frames, Math.max(first + 1, Math.round(end * fps)))]
}

/**
 * Label Studio's tasks with predictions (https://labelstud.io/guide/predictions): timeline labels, ranges of frames from 1 on, the last
 * one included. `data.fps` is the rate that they are counted with.
 * @param model names who has predicted
 */
export function labelStudioTasks(videos: readonly FramedVideo[], model: string): string {
  const tasks = videos.map((video) => ({
    data: { video: video.path, fps: rounded(video.clip.fps) },
    predictions: [
      {
        model_version: model,
        score: rounded(mean(video.spans.map(({ score }) => score))),
        result: video.spans.map(({ label, score, ...span }, i) => {
          const [first, end] = framesOf(span, video.clip)
          return {
            id: `span${i + 1}`,
            from_name: "actions",
            to_name: "video",
            type: "timelinelabels",
            score: rounded(score),
            value: { ranges: [{ start: first + 1, end }], timelinelabels: [label] },
          }
        }),
      },
    ],
  }))
  return `${JSON.stringify(tasks, null, 1)}\n`
}

/** The labelling interface that the tasks are made for (https://labelstud.io/tags/timelinelabels). */
export function labelStudioInterface(labels: readonly string[]): string {
  return [
    "<View>",
    '  <TimelineLabels name="actions" toName="video">',
    ...labels.map((label) => `    <Label value="${escapeXml(label)}"/>`),
    "  </TimelineLabels>",
    '  <Video name="video" value="$video" frameRate="$fps"/>',
    "</View>",
    "",
  ].join("\n")
}

/**
 * CVAT for video 1.1 (https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/): a track for each span, whose box is the whole
 * picture; it is outside from the first frame after the span on.
 */
export function cvatXml(video: FramedVideo, labels: readonly string[]): string {
  const { path, spans, clip } = video
  const { frames, width, height } = clip
  const box = (frame: number, outside: 0 | 1) =>
    `    <box frame="${frame}" keyframe="1" outside="${outside}" occluded="0" xtl="0.00" ytl="0.00" xbr="${width}.00" ybr="${height}.00" z_order="0"></box>`
  const tracks = spans.flatMap(({ label, ...span }, id) => {
    const [first, end] = framesOf(span, clip)
    return [
      `  <track id="${id}" label="${escapeXml(label)}" source="auto">`,
      box(first, 0),
      ...(end < frames ? [box(end, 1)] : []),
      "  </track>",
    ]
  })
  const name = escapeXml(path.slice(path.lastIndexOf("/") + 1))
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    "<annotations>",
    "  <version>1.1</version>",
    "  <meta>",
    "    <task>",
    `      <name>${name}</name>`,
    `      <size>${frames}</size>`,
    "      <mode>interpolation</mode>",
    "      <overlap>0</overlap>",
    "      <start_frame>0</start_frame>",
    `      <stop_frame>${frames - 1}</stop_frame>`,
    "      <labels>",
    ...labels.flatMap((label) => [
      "        <label>",
      `          <name>${escapeXml(label)}</name>`,
      "          <type>rectangle</type>",
      "          <attributes></attributes>",
      "        </label>",
    ]),
    "      </labels>",
    `      <original_size><width>${width}</width><height>${height}</height></original_size>`,
    `      <source>${name}</source>`,
    "    </task>",
    "  </meta>",
    ...tracks,
    "</annotations>",
    "",
  ].join("\n")
}

const rounded = (value: number) => Number(value.toFixed(6))

const mean = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

function escapeXml(text: string): string {
  const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
  return text.replaceAll(/[&<>"]/g, (char) => escapes[char] ?? char)
}
