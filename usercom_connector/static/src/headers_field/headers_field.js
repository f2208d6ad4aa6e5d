import { CopyButton } from "@web/core/copy_button/copy_button";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

import { Component, useState } from "@odoo/owl";

/**
 * HTTP headers ("Name: value", one a line) as a table in which each name and each value has a
 * copy button of its own, because User.com's editor asks for the two in separate inputs.
 */
export class HeadersField extends Component {
    static template = "usercom_connector.HeadersField";
    static components = { CopyButton };
    static props = {
        ...standardFieldProps,
        secretHeader: { type: String, optional: true },
    };

    setup() {
        this.state = useState({ revealed: false });
        this.copied = _t("Copied");
    }

    get headers() {
        const lines = (this.props.record.data[this.props.name] || "").split("\n");
        return lines.filter(Boolean).map((line) => {
            const end = line.indexOf(": ");
            const name = line.slice(0, end);
            return { name, value: line.slice(end + 2), secret: name === this.props.secretHeader };
        });
    }

    shown(header) {
        return header.secret && !this.state.revealed ? "•".repeat(12) : header.value;
    }

    get toggleLabel() {
        return this.state.revealed ? _t("Hide the secret") : _t("Show the secret");
    }

    toggle() {
        this.state.revealed = !this.state.revealed;
    }
}

registry.category("fields").add("usercom_headers", {
    component: HeadersField,
    displayName: _t("HTTP Headers"),
    supportedTypes: ["text"],
    extractProps: ({ options }) => ({ secretHeader: options.secret_header }),
});
