// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class RequestTest {
    @Test
    void a_decoded_request_equals_the_encoded_one() throws Exception {
        Request request = new Request(Request.Verb.SHELL, "xterm", "UTF-8", 132, 50, "grüße \n two");
        assertEquals(request, Request.of(request.frame()));
    }

    @Test
    void another_version_is_reported_in_a_sentence() {
        ByteBuffer later = ByteBuffer.allocate(8).putInt(2).putInt(77).flip();
        MalformedFrameException e = assertThrows(
                MalformedFrameException.class, () -> Request.of(new Frame(Frame.Type.HELLO, later.array())));
        assertTrue(
                e.getMessage().startsWith("the other side speaks version 2 of the control protocol, and this one 1"));
    }

    @Test
    void an_invalid_hello_is_malformed() throws Exception {
        List<Frame> wrong = List.of(
                Frame.of(Frame.Type.INPUT, "hello"),
                Frame.of(Frame.Type.HELLO, "x"),
                Frame.of(Frame.Type.HELLO, Hello.VERSION, -1),
                Frame.of(Frame.Type.HELLO, Hello.VERSION, Integer.MAX_VALUE),
                Frame.of(Frame.Type.HELLO, Hello.VERSION, 1),
                Frame.of(Frame.Type.HELLO, Hello.VERSION, 1, Integer.MAX_VALUE),
                Frame.of(Frame.Type.HELLO, Hello.VERSION, 1, -1),
                new Hello(List.of("STATUS")).frame(),
                new Hello(List.of("DANCE", "", "", "0", "0", "")).frame(),
                new Hello(List.of("SHELL", "", "", "wide", "0", "")).frame());
        for (Frame frame : wrong) {
            assertThrows(MalformedFrameException.class, () -> Request.of(frame));
        }
    }

    @Test
    void an_invalid_size_of_a_terminal_is_limited() throws Exception {
        Request request = new Request(Request.Verb.SHELL, "", "", -1, Integer.MAX_VALUE, "");
        assertEquals(0, Request.of(request.frame()).columns());
        assertEquals(10_000, Request.of(request.frame()).rows());
    }

    @Test
    void a_command_that_does_not_fit_into_a_frame_is_refused() {
        Request request = Request.of(Request.Verb.COMMAND, "x".repeat(Frame.MAX_PAYLOAD));
        assertThrows(MalformedFrameException.class, request::frame);
    }
}
