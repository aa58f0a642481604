/** The page: a choice of videos, the player, a lane for each action, and the list of all spans. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import type { TimelineData, TimelineSpan } from "../../../../packages/fourtier/src/report/timeline-data.ts"
import { clock, colourOf, percent } from "./format.ts"
import { Lanes } from "./lanes.tsx"
import { Player, usePlayer } from "./player.tsx"

export function Timeline({ data }: { data: TimelineData }) {
  const [index, setIndex] = useState(0)
  const [least, setLeast] = useState(0)
  const [zoom, setZoom] = useState(1)
  const video = data.videos[index]
  const player = usePlayer(video)
  const labels = useMemo(
    () => [...new Set(data.videos.flatMap(({ spans }) => spans.map(({ label }) => label)))].sort(),
    [data],
  )
  const spans = video?.spans.filter(({ score }) => score >= least) ?? []
  useKeys(player, spans, setZoom)
  if (!video)
    return (
      <main>
        <p>No video was looked through.</p>
      </main>
    )
  const found = video.spans.length === spans.length ? `${spans.length}` : `${spans.length} of ${video.spans.length}`
  return (
    <>
      <header>
        <h1>
          {video.name}
          <span>
            {clock(video.duration)}, {found} {spans.length === 1 ? "span" : "spans"}
          </span>
        </h1>
        {data.videos.length > 1 && (
          <label>
            <span class="hidden">Video</span>
            <select
              id="videos"
              value={index}
              onChange={({ currentTarget }) => {
                setIndex(Number(currentTarget.value))
                setZoom(1)
              }}
            >
              {data.videos.map(({ name, spans: own }, i) => (
                <option key={name} value={i}>
                  {name} ({own.length})
                </option>
              ))}
            </select>
          </label>
        )}
      </header>
      <main>
        <Player key={video.src} player={player} video={video} />
        <div class="tools">
          <label>
            Least score
            <input
              id="least"
              type="range"
              min="0"
              max="100"
              value={least * 100}
              onInput={({ currentTarget }) => setLeast(Number(currentTarget.value) / 100)}
            />
            <output>{percent(least)}</output>
          </label>
          <fieldset>
            <legend class="hidden">Zoom</legend>
            <button
              type="button"
              aria-label="Show more of the video"
              disabled={zoom <= 1}
              onClick={() => setZoom(zoom / 2)}
            >
              −
            </button>
            <output>{zoom}×</output>
            <button
              type="button"
              aria-label="Show less of the video"
              disabled={zoom >= 64}
              onClick={() => setZoom(zoom * 2)}
            >
              +
            </button>
          </fieldset>
        </div>
        <Lanes labels={labels} spans={spans} duration={video.duration} zoom={zoom} player={player} />
        <Spans labels={labels} spans={spans} player={player} />
        <p class="keys">
          <kbd>Space</kbd> plays and stops, <kbd>←</kbd> <kbd>→</kbd> go a second, with <kbd>Shift</kbd> ten,{" "}
          <kbd>J</kbd> <kbd>K</kbd> play the span before and the next one, <kbd>+</kbd> <kbd>−</kbd> zoom.
        </p>
        <p class="made" id="made">
          Made by fourtier {data.fourtier}. The video is played from where it lies beside this page.
        </p>
      </main>
    </>
  )
}

interface SpansProps {
  labels: readonly string[]
  spans: readonly TimelineSpan[]
  player: ReturnType<typeof usePlayer>
}

function Spans({ labels, spans, player }: SpansProps) {
  if (spans.length === 0) return <p class="none">No action was found{labels.length > 0 ? " with this score" : ""}.</p>
  return (
    <div class="table">
      <table id="spans">
        <caption class="hidden">Spans</caption>
        <thead>
          <tr>
            <th scope="col">Action</th>
            <th scope="col" class="num">
              Start
            </th>
            <th scope="col" class="num">
              End
            </th>
            <th scope="col" class="num">
              Score
            </th>
          </tr>
        </thead>
        <tbody>
          {spans.map((span, i) => (
            <tr key={`${span.start} ${span.label}`} class={player.current === span ? "current" : ""}>
              <td>
                <button type="button" class="span" onClick={() => player.play(span)} data-span={i}>
                  <i style={{ background: colourOf(labels, span.label) }} />
                  {span.label}
                </button>
              </td>
              <td class="num">{clock(span.start)}</td>
              <td class="num">{clock(span.end)}</td>
              <td class="num">{percent(span.score)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function useKeys(
  player: ReturnType<typeof usePlayer>,
  spans: readonly TimelineSpan[],
  setZoom: (change: (zoom: number) => number) => void,
): void {
  const latest = useRef({ player, spans })
  latest.current = { player, spans }
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const { target } = event
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return
      const { player: own, spans: all } = latest.current
      const far = event.shiftKey ? 10 : 1
      const actions: Record<string, () => void> = {
        // a button that has the focus is pressed by it
        " ": () => (target instanceof HTMLButtonElement ? null : own.toggle()),
        ArrowLeft: () => own.seek(own.time() - far),
        ArrowRight: () => own.seek(own.time() + far),
        j: () => own.play(all.findLast(({ start }) => start < own.time() - 0.5)),
        k: () => own.play(all.find(({ start }) => start > own.time() + 0.05)),
        "+": () => setZoom((zoom) => Math.min(64, zoom * 2)),
        "-": () => setZoom((zoom) => Math.max(1, zoom / 2)),
      }
      const act = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key]
      if (!act || (event.key === " " && target instanceof HTMLButtonElement)) return
      event.preventDefault()
      act()
    }
    addEventListener("keydown", press)
    return () => removeEventListener("keydown", press)
  }, [setZoom])
}
