// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

/** Failure of GStreamer, or its absence. The message is for a person to read. */
final class GStreamerException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    GStreamerException(String sentence) {
        super(sentence);
    }

    GStreamerException(String sentence, Throwable cause) {
        super(sentence, cause);
    }

    /** Returns the exception for a missing library or function. The packages in the message contain the libraries. */
    static GStreamerException notInstalled(String missing, Throwable cause) {
        return new GStreamerException(
                "GStreamer is not installed or incomplete (" + missing + "); the Debian packages are"
                        + " gstreamer1.0-plugins-base and gstreamer1.0-plugins-good",
                cause);
    }
}
