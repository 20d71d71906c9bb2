// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

/** What GStreamer refused, or that there is no GStreamer. The message is a sentence for a person. */
final class GStreamerException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    GStreamerException(String sentence) {
        super(sentence);
    }

    GStreamerException(String sentence, Throwable cause) {
        super(sentence, cause);
    }

    /** It, or the part of it that is named, is missing. The packages bring the libraries along. */
    static GStreamerException notInstalled(String missing, Throwable cause) {
        return new GStreamerException(
                "GStreamer is not installed, or not all of it (" + missing + "); the Debian packages are"
                        + " gstreamer1.0-plugins-base and gstreamer1.0-plugins-good",
                cause);
    }
}
