"""Sound, video and subtitles, by FFmpeg."""

import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:duration=0.7:sample_rate=44100")
_PICTURE = ("-f", "lavfi", "-i", "testsrc=duration=0.7:size=176x144:rate=25")
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
_NARROW = ("-ar", "8000", "-ac", "1", "-c:a", "libopencore_amrnb", "-b:a", "12.2k")
_SUBTITLES = "1\n00:00:00,000 --> 00:00:00,500\nGrüße\n\n2\n00:00:00,500 --> 00:00:00,700\nEnde\n"

_SOUNDS: dict[str, tuple[str, ...]] = {
    "tagged.mp3": ("-metadata", "title=Täst"),
    "old-tag.mp3": ("-id3v2_version", "3", "-metadata", "title=Test", "-write_id3v1", "1"),
    "bare.mp3": ("-id3v2_version", "0", "-write_xing", "0"),
    "low.mp3": ("-ar", "22050", "-b:a", "32k"),
    "lower.mp3": ("-ar", "11025", "-b:a", "16k"),
    "layer2.mp2": (),
    "adts.aac": ("-c:a", "aac"),
    "phone.m4a": ("-c:a", "aac"),
    "lossless.m4a": ("-c:a", "alac"),
    "book.m4b": ("-c:a", "aac", "-f", "ipod"),
    "start.m4a": ("-c:a", "aac", "-movflags", "+faststart"),
    "pieces.m4a": ("-c:a", "aac", "-f", "mp4", "-movflags", "+frag_keyframe+empty_moov"),
    **{
        f"brand-{brand.strip()}.m4a": ("-c:a", "aac", "-f", "mp4", "-brand", brand)
        for brand in ("isom", "mp41", "mp42", "iso2", "iso5", "iso6", "dash", "M4A ")
    },
    "sound-only.mp4": ("-c:a", "aac"),
    "opus.mp4": ("-c:a", "libopus"),
    "voice.3gp": _NARROW,
    "wide.3gp": ("-c:a", "aac"),
    "voice.3ga": (*_NARROW, "-f", "3gp"),
    "voice.amr": _NARROW,
    "voice.mov": ("-c:a", "aac"),
    "lossless.flac": (),
    "tagged.flac": ("-metadata", "title=Test"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "opus.ogg": ("-c:a", "libopus"),
    "voice.opus": (),
    "flac.oga": ("-c:a", "flac"),
    "browser.webm": ("-c:a", "libopus"),
    "vorbis.webm": ("-c:a", "libvorbis"),
    "live.webm": ("-c:a", "libopus", "-live", "1"),
    "voice.weba": ("-c:a", "libopus", "-f", "webm"),
    "opus.mka": ("-c:a", "libopus"),
    "flac.mka": ("-c:a", "flac"),
    "aac.mka": ("-c:a", "aac"),
    "plain.wav": (),
    "float.wav": ("-c:a", "pcm_f32le"),
    "phone.wav": ("-c:a", "pcm_alaw", "-ar", "8000"),
    "adpcm.wav": ("-c:a", "adpcm_ima_wav"),
    "long.wav": ("-rf64", "always"),
    "sony.w64": (),
    "plain.aiff": (),
    "alaw.aif": ("-c:a", "pcm_alaw"),
    "little.aifc": ("-c:a", "pcm_s16le", "-f", "aiff"),
    "sun.au": (),
    "pcm.caf": (),
    "phone.caf": ("-c:a", "pcm_alaw", "-ar", "8000"),
    "alac.caf": ("-c:a", "alac"),
    "cinema.ac3": (),
    "cinema.eac3": (),
    "cinema.dts": ("-c:a", "dca", "-strict", "-2"),
    "true.tta": (),
    "pack.wv": (),
    "windows.wma": ("-c:a", "wmav2"),
    "old.wma": ("-c:a", "wmav1"),
    "blaster.voc": (),
}

_VIDEOS: dict[str, tuple[str, ...]] = {
    "phone.mp4": (*_H264, "-c:a", "aac"),
    "start.mp4": (*_H264, "-c:a", "aac", "-movflags", "+faststart"),
    "pieces.mp4": (*_H264, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"),
    "silent.mp4": (*_H264, "-an"),
    "hevc.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-c:a", "aac"),
    "av1.mp4": ("-c:v", "libaom-av1", "-cpu-used", "8", "-c:a", "aac"),
    **{
        f"brand-{brand.strip()}.mp4": (*_H264, "-c:a", "aac", "-f", "mp4", "-brand", brand)
        for brand in (
            "isom", "mp41", "mp42", "avc1", "iso4", "iso6", "dash", "cmfc", "hvc1", "MSNV", "XAVC",
            "pana", "f4v ", "msdh",
        )
    },
    "apple.m4v": (*_H264, "-c:a", "aac", "-f", "ipod"),
    "flash.f4v": (*_H264, "-c:a", "aac"),
    "camera.mov": (*_H264, "-c:a", "aac"),
    "studio.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "motion.mov": ("-c:v", "mjpeg", "-c:a", "pcm_s16be"),
    "phone.3gp": ("-c:v", "mpeg4", *_NARROW),
    "new.3gp": (*_H264, "-c:a", "aac"),
    "phone.3g2": (*_H264, "-c:a", "aac"),
    "browser.webm": (*_VP9, "-c:a", "libopus"),
    "old.webm": ("-c:v", "libvpx", "-c:a", "libvorbis"),
    "live.webm": (*_VP9, "-c:a", "libopus", "-live", "1"),
    "film.mkv": (*_H264, "-c:a", "libopus"),
    "flac.mkv": (*_VP9, "-c:a", "flac"),
    "theora.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "divx.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "motion.avi": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "windows.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "windows.asf": ("-c:v", "msmpeg4", "-c:a", "wmav2"),
    "flash.flv": ("-c:v", "flv1", "-c:a", "libmp3lame"),
    "new.flv": (*_H264, "-c:a", "aac"),
    "cd.mpg": ("-c:v", "mpeg1video", "-c:a", "mp2"),
    "dvd.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2", "-f", "dvd"),
    "dvd.vob": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "stream.mpeg": ("-c:v", "mpeg1video", "-c:a", "mp2"),
    "broadcast.ts": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "phone.ts": (*_H264, "-c:a", "aac"),
    "camera.m2ts": (*_H264, "-c:a", "ac3", "-mpegts_m2ts_mode", "1"),
    "camera.mts": (*_H264, "-c:a", "ac3", "-f", "mpegts", "-mpegts_m2ts_mode", "1"),
    "studio.mxf": ("-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ar", "48000"),
    "moving.gif": ("-an",),
    "moving.apng": ("-an",),
}  # fmt: skip


def make(folder: Path) -> None:
    """Write one file of each row, and MP3 with covers of several sizes."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()

    def run(name: str, *arguments: str) -> None:
        flags = ("-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1", "-bitexact")
        command = [ffmpeg, *flags, *arguments, "-bitexact", "-y", name]
        subprocess.run(command, cwd=folder, check=True)

    with ThreadPoolExecutor(2) as pool:
        sounds = [pool.submit(run, f"sound-{n}", *_SOUND, *a) for n, a in _SOUNDS.items()]
        videos = [
            pool.submit(run, f"video-{n}", *_PICTURE, *_SOUND, *a) for n, a in _VIDEOS.items()
        ]
        for made in (*sounds, *videos):
            made.result()
    _covers(folder, run)
    (folder / "film.srt").write_text(_SUBTITLES)
    for name in ("film.vtt", "film.ass", "film.ttml", "song.lrc"):
        run(name, "-i", "film.srt")
    subtitled = ("-i", "film.srt", "-map", "0", "-map", "1", *_H264, "-c:s", "srt")
    run("video-subtitles.mkv", *_PICTURE, *subtitled)
    _voices(folder)


def _covers(folder: Path, run) -> None:
    chance = random.Random(18)
    for side in (64, 256, 700):
        noise = Image.frombytes("RGB", (side, side), chance.randbytes(side * side * 3))
        noise.save(folder / "cover.jpg", quality=90)
        pictured = ("-i", "cover.jpg", "-map", "0", "-map", "1", "-c:v", "copy")
        run(f"cover-{side}.mp3", *_SOUND, *pictured, "-id3v2_version", "3")
        run(f"cover-{side}.flac", *_SOUND, *pictured, "-disposition:v", "attached_pic")
        run(
            f"cover-{side}.m4a", *_SOUND, *pictured, "-c:a", "aac", "-disposition:v", "attached_pic"
        )


def _voices(folder: Path) -> None:
    """Frames as phones store them, behind the marks of RFC 3558, 4788, 4867, 3952 and SILK."""
    chance = random.Random(18)
    for name, mark in {
        "voice.evc": b"#!EVRC\n",
        "voice.evb": b"#!EVRC-B\n",
        "voice.evw": b"#!EVRCWB\n",
        "voice.smv": b"#!SMV\n",
        "voice.lbc": b"#!iLBC30\n",
        "voice.awb": b"#!AMR-WB\n",
        "voice.silk": b"#!SILK_V3",
        "wechat.silk": b"\x02#!SILK_V3",
    }.items():
        frames = b"".join(b"\x14\x00" + chance.randbytes(20) for _ in range(50))
        (folder / name).write_bytes(mark + frames)
