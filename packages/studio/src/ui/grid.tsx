/** Clips as a grid: they play under the pointer, are chosen by click and by keyboard. */

import { useEffect, useRef, useState } from "preact/hooks"
import type { api } from "../home.ts"
import { text } from "../strings.ts"
import { useMedia } from "./media.ts"
import { colourOf, type Model } from "./model.ts"

interface GridProps {
  model: Model
  clips: readonly api.Clip[]
  selected: ReadonlySet<string>
  select(ids: ReadonlySet<string>): void
  cut(id: string): void
}

export function Grid({ model, clips, selected, select, cut }: GridProps) {
  const last = useRef<string | null>(null)
  const list = useRef<HTMLUListElement>(null)
  const toggle = (id: string, range: boolean) => {
    const next = new Set(selected)
    const [from, to] = [clips.findIndex((clip) => clip.id === last.current), clips.findIndex((clip) => clip.id === id)]
    if (range && from >= 0)
      for (const clip of clips.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(clip.id)
    else if (next.has(id)) next.delete(id)
    else next.add(id)
    last.current = id
    select(next)
  }
  const onKey = (event: KeyboardEvent, place: number) => {
    const columns = list.current ? getComputedStyle(list.current).gridTemplateColumns.split(" ").length : 1
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key]
    if ((event.ctrlKey || event.metaKey) && event.key === "a") select(new Set(clips.map(({ id }) => id)))
    else if (event.key === "Enter") cut(clips[place].id)
    else if (step === undefined) return
    else list.current?.querySelectorAll<HTMLElement>(".clip > button")[place + step]?.focus()
    event.preventDefault()
  }
  return (
    <ul class="grid" ref={list}>
      {clips.map((clip, place) => (
        <li key={clip.id} class="clip">
          <button
            type="button"
            title={clip.name}
            aria-pressed={selected.has(clip.id)}
            onClick={(event) => toggle(clip.id, event.shiftKey)}
            onDblClick={() => cut(clip.id)}
            onKeyDown={(event) => onKey(event, place)}
          >
            <Picture model={model} clip={clip} />
            <span class={clip.problem ? "name" : "unseen"}>{clip.name}</span>
            <span class="under">
              <span class="tag">
                <i
                  class="swatch"
                  style={{ background: colourOf(model.classes.indexOf(clip.label ?? "")) }}
                  aria-hidden="true"
                />
                {clip.label ?? text.noClass}
              </span>
              <small>{clip.seconds === null ? (clip.problem ? "" : text.measuring) : text.seconds(clip.seconds)}</small>
            </span>
            {clip.problem && <span class="problem">{clip.problem}</span>}
          </button>
        </li>
      ))}
    </ul>
  )
}

/** A clip's first picture; it plays while the pointer is over it. Loaded when it comes near the window. */
export function Picture({ model, clip, playing }: { model: Model; clip: api.Clip; playing?: boolean }) {
  const box = useRef<HTMLSpanElement>(null)
  const video = useRef<HTMLVideoElement>(null)
  const [near, come] = useState(false)
  const url = useMedia(model, clip.id, near && !clip.problem)
  useEffect(() => {
    if (!box.current) return
    const watcher = new IntersectionObserver((seen) => come(seen.some(({ isIntersecting }) => isIntersecting)), {
      rootMargin: "300px",
    })
    watcher.observe(box.current)
    return () => watcher.disconnect()
  }, [])
  const start = clip.start ?? 0
  const play = () => void video.current?.play().catch(() => {})
  const rest = () => {
    if (!video.current) return
    video.current.pause()
    video.current.currentTime = start
  }
  useEffect(() => {
    if (playing) play()
  }, [playing, url])
  return (
    <span class="picture" ref={box} onPointerEnter={play} onPointerLeave={rest}>
      {url && (
        <video
          ref={video}
          src={url}
          muted
          playsInline
          loop
          preload="metadata"
          onLoadedMetadata={(event) => {
            event.currentTarget.currentTime = start
          }}
          onTimeUpdate={(event) => {
            if (clip.end !== null && event.currentTarget.currentTime >= clip.end)
              event.currentTarget.currentTime = start
          }}
        />
      )}
    </span>
  )
}
