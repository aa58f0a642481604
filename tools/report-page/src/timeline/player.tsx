/** The video's player: plays a span to its end, and says what can be done where the file does not play. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import type { TimelineSpan, TimelineVideo } from "../../../../packages/fourtier/src/report/timeline-data.ts"

/** What the rest of the page does with the player. */
export interface Playing {
  element: { current: HTMLVideoElement | null }
  time(): number
  seek(seconds: number): void
  toggle(): void
  /** Plays a span to its end. */
  play(span: TimelineSpan | undefined): void
  current: TimelineSpan | null
}

export function usePlayer(video: TimelineVideo | undefined): Playing {
  const element = useRef<HTMLVideoElement | null>(null)
  const [current, setCurrent] = useState<TimelineSpan | null>(null)
  const until = useRef<number | null>(null)
  useEffect(() => {
    setCurrent(null)
    until.current = null
  }, [video])
  useEffect(() => {
    const stop = () => {
      const own = element.current
      if (own && until.current !== null && own.currentTime >= until.current) {
        until.current = null
        own.pause()
      }
      frame = requestAnimationFrame(stop)
    }
    let frame = requestAnimationFrame(stop)
    return () => cancelAnimationFrame(frame)
  }, [])
  return useMemo(() => {
    const duration = video?.duration ?? 0
    const go = (seconds: number) => {
      if (element.current) element.current.currentTime = Math.min(Math.max(0, seconds), duration)
    }
    return {
      element,
      current,
      time: () => element.current?.currentTime ?? 0,
      seek(seconds) {
        until.current = null
        go(seconds)
      },
      toggle() {
        until.current = null
        const own = element.current
        if (own?.paused) own.play().catch(() => undefined)
        else own?.pause()
      },
      play(span) {
        if (!span) return
        setCurrent(span)
        go(span.start)
        until.current = span.end
        element.current?.play().catch(() => undefined)
      },
    }
  }, [video, current])
}

export function Player({ player, video }: { player: Playing; video: TimelineVideo }) {
  const [failed, setFailed] = useState(false)
  const [chosen, setChosen] = useState<string | null>(null)
  return (
    <div class="player">
      {/* biome-ignore lint/a11y/useMediaCaption: what is seen is listed below */}
      <video
        ref={player.element}
        src={chosen ?? video.src}
        controls
        preload="metadata"
        playsInline
        onError={() => setFailed(true)}
        onLoadedMetadata={() => setFailed(false)}
      />
      {failed && (
        <div class="failed" role="alert">
          <p>
            The video does not play: it is not at <code>{decodeURI(video.src)}</code>, or it is of a kind that browsers
            do not play. Most play H.264 in MP4.
          </p>
          <label>
            Choose the file:{" "}
            <input
              type="file"
              accept="video/*"
              onChange={({ currentTarget }) => {
                const [file] = currentTarget.files ?? []
                if (file) setChosen(URL.createObjectURL(file))
              }}
            />
          </label>
        </div>
      )}
    </div>
  )
}
