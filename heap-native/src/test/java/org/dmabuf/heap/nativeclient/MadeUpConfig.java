// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.Map;
import org.dmabuf.heap.linux.socket.UserDatabase;

/** Configurations as Declarative Services gives them to the component: texts, converted on access. */
final class MadeUpConfig {
    private MadeUpConfig() {}

    static NativeSettings settings(Map<String, String> configured) throws IOException {
        return NativeSettings.of(config(configured), configured, UserDatabase.local());
    }

    static NativeClients.Config config(Map<String, String> configured) {
        return (NativeClients.Config) Proxy.newProxyInstance(
                NativeClients.Config.class.getClassLoader(),
                new Class<?>[] {NativeClients.Config.class},
                (_, method, _) -> {
                    String value = configured.get(method.getName().replace('_', '.'));
                    if (value == null) {
                        return method.getDefaultValue();
                    }
                    return method.getReturnType() == String[].class
                            ? new String[] {value}
                            : method.getReturnType() == int.class ? (Object) Integer.valueOf(value) : value;
                });
    }
}
