/** The containers that are opened. */

/** Demuxers that may open a file: those of video files, none that follows a play list to other files or hosts. */
export const CONTAINERS =
  "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,live_flv,asf,gif,ogg,h264,hevc,vvc,obu,av1,ivf,nut,mjpeg,rm,mxf,wtv,dv,yuv4mpegpipe,mp3,wav,flac,aac,3gp,apng,webp_anim,swf,vc1,vc1test,cavsvideo,dirac,h263,h261"
