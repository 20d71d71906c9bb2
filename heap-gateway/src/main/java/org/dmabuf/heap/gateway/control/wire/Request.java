// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.util.ArrayList;
import java.util.List;

/**
 * Request of a client, as its hello carries it.
 *
 * @param verb the kind of request
 * @param terminal type of the client's terminal; empty without one
 * @param charset charset of its terminal
 * @param columns columns of its terminal
 * @param rows rows of its terminal
 * @param command the command line or the script to run, or {@code json} for a status in that form; otherwise empty
 */
public record Request(Verb verb, String terminal, String charset, int columns, int rows, String command) {
    private static final int MAX_SIZE = 10_000;

    /** The kinds of requests. */
    public enum Verb {
        /** Request for the gateway's state, which needs no shell. */
        STATUS,
        /** Request for a shell on the client's terminal. */
        SHELL,
        /** Request to run one command line, without a terminal. */
        COMMAND,
        /** Request to run command lines without a terminal, up to the first that fails. */
        SCRIPT
    }

    /** Creates a request without a terminal. */
    public static Request of(Verb verb, String command) {
        return new Request(verb, "", "", 0, 0, command);
    }

    /** {@return the frame that carries the request} */
    public Frame frame() throws MalformedFrameException {
        return new Hello(List.of(
                        verb.name(), terminal, charset, Integer.toString(columns), Integer.toString(rows), command))
                .frame();
    }

    /** Decodes the request in a client's first frame. */
    public static Request of(Frame frame) throws MalformedFrameException {
        List<String> words = new ArrayList<>(Hello.of(frame).words());
        try {
            return new Request(
                    Verb.valueOf(words.get(0)),
                    words.get(1),
                    words.get(2),
                    size(Integer.parseInt(words.get(3))),
                    size(Integer.parseInt(words.get(4))),
                    words.get(5));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new MalformedFrameException("the hello has an unknown request");
        }
    }

    /** {@return a size that a terminal can have; 0 stands for an unknown size} */
    public static int size(int claimed) {
        return Math.clamp(claimed, 0, MAX_SIZE);
    }
}
