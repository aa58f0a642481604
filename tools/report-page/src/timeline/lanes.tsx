/** The timeline: a lane for each action, its spans as bars, and where the video is. */

import { useEffect, useRef, useState } from "preact/hooks"
import type { TimelineSpan } from "../../../../packages/fourtier/src/report/timeline-data.ts"
import { clock, colourOf, markEvery, percent } from "./format.ts"
import type { Playing } from "./player.tsx"

interface LanesProps {
  labels: readonly string[]
  spans: readonly TimelineSpan[]
  duration: number
  zoom: number
  player: Playing
}

export function Lanes({ labels, spans, duration, zoom, player }: LanesProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const head = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(800)
  useEffect(() => {
    const measure = () => setWidth(scroller.current?.clientWidth ?? 800)
    measure()
    addEventListener("resize", measure)
    return () => removeEventListener("resize", measure)
  }, [])
  useEffect(() => {
    let before = -1
    const follow = () => {
      const time = player.time()
      if (time !== before && head.current && scroller.current) {
        before = time
        head.current.style.left = `${(100 * time) / duration}%`
        const at = (time / duration) * scroller.current.scrollWidth
        const { scrollLeft, clientWidth } = scroller.current
        if (at < scrollLeft || at > scrollLeft + clientWidth) scroller.current.scrollLeft = at - clientWidth / 3
      }
      frame = requestAnimationFrame(follow)
    }
    let frame = requestAnimationFrame(follow)
    return () => cancelAnimationFrame(frame)
  }, [player, duration])
  const step = markEvery(duration, width * zoom)
  const marks = Array.from({ length: Math.floor(duration / step) + 1 }, (_, i) => i * step)
  const share = (seconds: number) => `${(100 * seconds) / duration}%`
  const shown = labels.filter((label) => spans.some((span) => span.label === label))
  return (
    <section class="lanes" aria-label="Timeline">
      <ul class="names" aria-hidden="true">
        {shown.map((label) => (
          <li key={label} title={label}>
            {label}
          </li>
        ))}
      </ul>
      <div class="scroller" ref={scroller}>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: by keyboard the arrows go to a moment */}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: what can be pressed in it are buttons */}
        <div
          class="track"
          style={{ width: `${100 * zoom}%` }}
          onClick={({ currentTarget, clientX }) => {
            const { left, width: whole } = currentTarget.getBoundingClientRect()
            player.seek(((clientX - left) / whole) * duration)
          }}
        >
          <div class="ruler">
            {marks.map((mark) => (
              <span key={mark} style={{ left: share(mark) }}>
                {clock(mark).replace(/\.0$/, "")}
              </span>
            ))}
          </div>
          {shown.map((label) => (
            <div key={label} class="lane">
              {spans
                .filter((span) => span.label === label)
                .map((span) => (
                  <button
                    key={span.start}
                    type="button"
                    class={player.current === span ? "bar current" : "bar"}
                    style={{
                      left: share(span.start),
                      width: share(span.end - span.start),
                      background: colourOf(labels, label),
                      opacity: 0.45 + 0.55 * span.score,
                    }}
                    title={`${label}, ${clock(span.start)} to ${clock(span.end)}, ${percent(span.score)}`}
                    aria-label={`${label}, ${clock(span.start)} to ${clock(span.end)}, ${percent(span.score)}`}
                    onClick={(event) => {
                      event.stopPropagation()
                      player.play(span)
                    }}
                  />
                ))}
            </div>
          ))}
          <div class="head" ref={head} />
        </div>
      </div>
    </section>
  )
}
