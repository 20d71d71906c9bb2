// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Settings of {@code etc/org.dmabuf.heap.console.cfg}. */
@ObjectClassDefinition(name = "DMA-BUF heaps: web console", description = "Login of the web console")
@interface ConsoleSettings {
    /** {@return the name of the only user} */
    @AttributeDefinition(name = "User", description = "Name of the only user")
    String user() default "operator";

    /** {@return the hash of the password} */
    @AttributeDefinition(
            name = "Password hash",
            description = "ITERATIONS:SALT:HASH of PBKDF2 with HMAC-SHA256, salt and hash in hexadecimal. Without it,"
                    + " the console does not start.")
    String password_hash() default "";
}
