`default_nettype none
// Takes read completions in any order between tags, checks them against what was asked, writes their bytes to local memory.
// The bytes still expected under a tag are counted here; the completer's Byte Count is only compared (PCIE section 4). A tag returns to
// the allocator when nothing more can arrive under it: with its last byte, or an unsuccessful completion. After a timeout or a
// malformed completion it stays in quarantine, its late completions dropped, until they are complete or twice the timeout
// passed since the request. One beat per cycle; the event of a TLP comes one cycle after its last beat moved.
module dma_read_completer #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Number of tags
  parameter int TAGS = 64,
  // Value of the first tag on the link
  parameter int TAG_BASE = 0,
  // Bits of an operation's index
  parameter int OPERATION_W = 7,
  // Width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = 21
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Completion timeout in cycles, below 2^30; 0 = never
  input  wire  [31:0]                timeout_i,

  // Identity of the function
  input  wire  [15:0]                requester_id_i,

  // Requests as they are issued; attributes {RO, NS}
  input  wire                        issue_valid_i,
  input  wire  [$clog2(TAGS)-1:0]    issue_tag_i,
  input  wire  [OPERATION_W-1:0]     issue_operation_i,
  input  wire                        issue_flush_i,
  input  wire  [LOCAL_ADDRESS_W-1:0] issue_local_i,
  input  wire  [24:0]                issue_offset_i,
  input  wire  [6:0]                 issue_lower_address_i,
  input  wire  [12:0]                issue_length_i,
  input  wire  [1:0]                 issue_attributes_i,

  // Completion stream
  input  wire                        completion_valid_i,
  output logic                       completion_ready_o,
  input  wire                        completion_sop_i,
  input  wire                        completion_eop_i,
  input  wire  [DATA_W-1:0]          completion_data_i,
  input  wire  [127:0]               completion_hdr_i,
  input  wire                        completion_err_i,

  // Local memory write: byte i of data to address + i where strobe[i]
  output logic                       write_valid_o,
  input  wire                        write_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] write_address_o,
  output logic [DATA_W-1:0]          write_data_o,
  output logic [DATA_W/8-1:0]        write_strobe_o,

  // Tag back to the allocator
  output logic                       release_valid_o,
  output logic [$clog2(TAGS)-1:0]    release_tag_o,

  // Event for the operation table
  output logic                       event_valid_o,
  output logic [OPERATION_W-1:0]     event_operation_o,
  output logic                       event_finished_o,
  output logic [3:0]                 event_code_o,
  output logic [24:0]                event_offset_o,

  // Statistics: a completion nobody waits for was dropped; a request timed out
  output logic                       stat_unexpected_o,
  output logic                       stat_timeout_o
);

  localparam int TAG_W = $clog2(TAGS);
  localparam int LANES = DATA_W / 8;
  localparam int EXPECT_W = OPERATION_W + 1 + LOCAL_ADDRESS_W + 25 + 7 + 13 + 2;

  // What was asked, and the bytes received since (meaningful once a completion came).
  logic [EXPECT_W-1:0] expected [0:TAGS-1];
  logic [12:0]         received [0:TAGS-1];
  logic [TAGS-1:0]     active_q;
  logic [TAGS-1:0]     quarantined_q;
  logic [TAGS-1:0]     started_q;

  // Header fields of the TLP that begins.
  logic [7:0]          header_type;
  logic [2:0]          header_status;
  logic [12:0]         header_byte_count;
  logic [6:0]          header_lower_address;
  logic [7:0]          header_tag_value;
  logic [10:0]         header_dwords;
  logic                header_poisoned;
  logic [8:0]          header_tag_index;
  logic [TAG_W-1:0]    header_tag;
  logic                header_tag_known;

  always_comb begin
    header_type = completion_hdr_i[127:120];
    header_poisoned = completion_hdr_i[110];
    header_dwords = tlp_pkg::payload_dwords(completion_hdr_i);
    header_status = completion_hdr_i[79:77];
    header_byte_count = {completion_hdr_i[75:64] == 12'd0, completion_hdr_i[75:64]};
    header_tag_value = completion_hdr_i[47:40];
    header_lower_address = completion_hdr_i[38:32];
    header_tag_index = {1'b0, header_tag_value} - 9'(TAG_BASE);
    header_tag = header_tag_index[TAG_W-1:0];
    header_tag_known = header_tag_index < 9'(TAGS) &&
        !completion_hdr_i[119] && !completion_hdr_i[115];
  end

  // Verdict on the TLP that begins.
  logic [OPERATION_W-1:0]     tag_operation;
  logic                       tag_flush;
  logic [LOCAL_ADDRESS_W-1:0] tag_local;
  logic [24:0]                tag_offset;
  logic [6:0]                 tag_lower_address;
  logic [12:0]                tag_length;
  logic [1:0]                 tag_attributes;
  logic [12:0]                tag_received;
  logic [12:0]                remaining;
  logic [6:0]                 next_lower_address;
  logic [12:0]                carried;
  logic [12:0]                taken;
  logic [5:0]                 end_address;
  logic                       covers_rest;
  logic                       unexpected;
  logic                       malformed;
  logic                       unsuccessful;
  logic [3:0]                 code;

  always_comb begin
    {tag_operation, tag_flush, tag_local, tag_offset, tag_lower_address, tag_length, tag_attributes} = expected[header_tag];
    tag_received = started_q[header_tag] ? received[header_tag] : 13'd0;
    remaining = tag_length - tag_received;
    next_lower_address = tag_lower_address + tag_received[6:0];
    carried = {header_dwords, 2'b00} - {11'd0, next_lower_address[1:0]};
    covers_rest = carried >= remaining;
    taken = covers_rest ? remaining : carried;
    end_address = next_lower_address[5:0] + taken[5:0];

    unexpected = !header_tag_known || completion_hdr_i[63:48] != requester_id_i || !(active_q[header_tag] || quarantined_q[header_tag]) ||
        (header_type != tlp_pkg::CPL && header_type != tlp_pkg::CPLD);
    unsuccessful = header_status != tlp_pkg::STATUS_SC;
    // TC and RO/NS as requested; data with every success; exactly the bytes left, or up to a 64-byte boundary.
    malformed = completion_hdr_i[118:116] != 3'd0 || completion_hdr_i[109:108] != tag_attributes ||
        (!unsuccessful && (header_type != tlp_pkg::CPLD || header_byte_count != remaining ||
                           header_lower_address != next_lower_address ||
                           (covers_rest ? carried - remaining > 13'd3 : end_address != 6'd0))) ||
        (unsuccessful && header_type != tlp_pkg::CPL);

    if (malformed) code = dma_pkg::STATUS_MALFORMED_COMPLETION;
    else if (header_status == tlp_pkg::STATUS_CA) code = dma_pkg::STATUS_COMPLETER_ABORT;
    else if (unsuccessful) code = dma_pkg::STATUS_UNSUPPORTED_REQUEST;
    else if (header_poisoned) code = dma_pkg::STATUS_POISONED;
    else code = dma_pkg::STATUS_SUCCESS;
  end

  // The TLP at work: from its header in its first beat, from registers in the others.
  typedef struct packed {
    logic                       unexpected;
    logic                       malformed;
    logic                       last;
    logic                       discard;
    logic [3:0]                 code;
    logic [TAG_W-1:0]           tag;
    logic [OPERATION_W-1:0]     operation;
    logic [24:0]                offset;
    logic [12:0]                received;
    logic [LOCAL_ADDRESS_W-1:0] local_address;
    logic [1:0]                 lead;
    logic [12:0]                span;
  } tlp_state_t;

  tlp_state_t      tlp;
  tlp_state_t      tlp_q;
  logic            in_tlp_q;
  logic            move;
  logic            finish;
  logic            final_completion;
  logic            tlp_active;

  always_comb begin
    tlp = tlp_q;
    if (completion_sop_i) begin
      tlp.unexpected = unexpected;
      tlp.malformed = malformed;
      tlp.last = unsuccessful || covers_rest;
      tlp.discard = unexpected || code != dma_pkg::STATUS_SUCCESS || tag_flush || quarantined_q[header_tag];
      tlp.code = code;
      tlp.tag = header_tag;
      tlp.operation = tag_operation;
      tlp.offset = tag_offset + {12'd0, tag_received};
      tlp.received = tag_received + taken;
      tlp.lead = next_lower_address[1:0];
      tlp.local_address = tag_local + LOCAL_ADDRESS_W'(tag_received) - LOCAL_ADDRESS_W'(next_lower_address[1:0]);
      tlp.span = taken + {11'd0, next_lower_address[1:0]};
    end
  end

  // Timers: one tag looked at per cycle.
  logic [31:0]      now_q;
  logic [31:0]      issued_at [0:TAGS-1];
  logic [TAG_W-1:0] scan_q;
  logic [31:0]      age;
  logic [31:0]      quarantine;
  logic             scan_busy;
  logic             expire;
  logic             expire_active;

  always_comb begin
    age = now_q - issued_at[scan_q];
    quarantine = (timeout_i == 32'd0) ? 32'd1 << 20 : {timeout_i[30:0], 1'b0};
    scan_busy = in_tlp_q && tlp_q.tag == scan_q;
    expire_active = active_q[scan_q] && timeout_i != 32'd0 && age >= timeout_i && !scan_busy;
    expire = expire_active || (quarantined_q[scan_q] && age >= quarantine && !scan_busy);
  end

  always_comb begin
    // A tag that expires takes the cycle from the completions: it is rare, and then none can starve it.
    write_valid_o = completion_valid_i && !tlp.discard && !expire;
    completion_ready_o = !expire && (tlp.discard || write_ready_i);
    write_address_o = tlp.local_address;
    write_data_o = completion_data_i;
    for (int i = 0; i < LANES; i++) write_strobe_o[i] = 13'(i) < tlp.span && (i >= 4 || 2'(i) >= tlp.lead);

    move = completion_valid_i && completion_ready_o;
    finish = move && completion_eop_i && !completion_err_i && !tlp.unexpected;
    final_completion = finish && tlp.last && !tlp.malformed;
    tlp_active = active_q[tlp.tag];

    release_valid_o = final_completion || (expire && !expire_active);
    release_tag_o = expire ? scan_q : tlp.tag;
  end

  // Offset of the first byte that never came under the expired tag.
  logic [OPERATION_W-1:0]   scan_operation;
  logic [24:0]              scan_base;
  logic [24:0]              scan_offset;
  logic [LOCAL_ADDRESS_W:0] unused_scan_destination;
  logic [21:0]              unused_scan_rest;
  always_comb begin
    {scan_operation, unused_scan_destination, scan_base, unused_scan_rest} = expected[scan_q];
    scan_offset = scan_base + (started_q[scan_q] ? {12'd0, received[scan_q]} : 25'd0);
  end

  always_ff @(posedge clk_i) begin
    if (issue_valid_i) begin
      expected[issue_tag_i] <= {issue_operation_i, issue_flush_i, issue_local_i, issue_offset_i, issue_lower_address_i,
                                issue_length_i, issue_attributes_i};
      issued_at[issue_tag_i] <= now_q;
    end
    if (finish) received[tlp.tag] <= tlp.received;
    if (move) begin
      tlp_q <= tlp;
      tlp_q.local_address <= tlp.local_address + LOCAL_ADDRESS_W'(LANES);
      tlp_q.lead <= 2'd0;
      tlp_q.span <= (tlp.span > 13'(LANES)) ? tlp.span - 13'(LANES) : 13'd0;
    end
    event_operation_o <= expire ? scan_operation : tlp.operation;
    event_finished_o <= expire || tlp.last || tlp.malformed;
    event_code_o <= expire ? dma_pkg::STATUS_COMPLETION_TIMEOUT : tlp.code;
    event_offset_o <= expire ? scan_offset : tlp.offset;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= '0;
      quarantined_q <= '0;
      started_q <= '0;
      in_tlp_q <= 1'b0;
      now_q <= 32'd0;
      scan_q <= '0;
      event_valid_o <= 1'b0;
      stat_unexpected_o <= 1'b0;
      stat_timeout_o <= 1'b0;
    end else begin
      now_q <= now_q + 1'b1;
      scan_q <= (scan_q == TAG_W'(TAGS - 1)) ? '0 : scan_q + 1'b1;
      if (move) in_tlp_q <= !completion_eop_i;
      event_valid_o <= expire_active || (finish && tlp_active && (tlp.last || tlp.code != 4'd0));
      stat_unexpected_o <= move && completion_eop_i && !completion_err_i && tlp.unexpected;
      stat_timeout_o <= expire_active;
      if (issue_valid_i) begin
        active_q[issue_tag_i] <= 1'b1;
        started_q[issue_tag_i] <= 1'b0;
      end
      if (expire) begin
        active_q[scan_q] <= 1'b0;
        quarantined_q[scan_q] <= expire_active;
      end else if (finish) begin
        started_q[tlp.tag] <= 1'b1;
        if (tlp.malformed || tlp.last) begin
          active_q[tlp.tag] <= 1'b0;
          quarantined_q[tlp.tag] <= tlp.malformed;
        end
      end
    end
  end

endmodule
`default_nettype wire
