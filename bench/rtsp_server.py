"""
An RTSP server that is not this project's (GStreamer's), for `fourtier watch` to lose and find again. On Debian:

    apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly
    /usr/bin/python3 bench/rtsp_server.py 8554 &
    fourtier watch <bundle> rtsp://127.0.0.1:8554/camera --json --answers

Cut the connection by ending the server (kill -9) and starting it again, and, without a word to the other side, by kill -STOP for
longer than ten seconds and kill -CONT.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CAMERA = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! rtph264pay name=pay0 pt=96 )"
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1] if len(sys.argv) > 1 else "8554")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(CAMERA)
factory.set_shared(True)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(f"{Gst.version_string()}: rtsp://127.0.0.1:{server.get_service()}/camera", flush=True)
GLib.MainLoop().run()
